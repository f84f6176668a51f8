package io.github.evalworker;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.logging.Logger;

/**
 * Publishes finished requests to language models to evalworker, through the sidecar {@code
 * emitter serve}.
 *
 * <pre>{@code
 * var evalworker = new Evalworker();                              // once
 * var call = evalworker.begin("prompt_name", "triage", "prompt_version", "v3", "input", question);
 * var answer = call.run(() -> model.ask(question));               // published when it returns or throws
 * }</pre>
 *
 * <p>Fields of an event are names and values in turn; docs/events.md has them. {@code session} and {@code tenant} are short for
 * session_id and tenant_id, and {@code user} goes out as a hash only, as user_id_hash. Values are maps, lists, texts, numbers
 * and booleans; a text that holds a provider's answer as JSON is read as that answer. Pictures, sounds and files become
 * data URLs of their type, size and digest, without data.
 *
 * <p>Nothing here makes a request wait or fail. Events wait in a queue that is bounded in events and bytes, and one daemon
 * thread sends them; when the queue is full an event is dropped and counted.
 */
public final class Evalworker implements AutoCloseable {
  private static final String VERSION = Objects.requireNonNullElse(Evalworker.class.getPackage().getImplementationVersion(), "dev");
  private static final String DEFAULT_URL = "http://127.0.0.1:8788";
  private static final String NO_URL = "the address of the sidecar is no URL; write http://host:8788";
  private static final int BATCH_EVENTS = 500;
  private static final int BATCH_BYTES = 1 << 20;

  private final URI address; // null when it is none
  private final boolean off;
  private final String token;
  private final int maxEvents;
  private final long maxBytes;
  private final int maxEventBytes;
  private final UnaryOperator<Map<String, Object>> prepare;
  private final Consumer<String> logger;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
  private final Map<String, Object> identity = new LinkedHashMap<>();
  private final ThreadLocal<Map<String, Object>> scopes = new ThreadLocal<>();
  private final Remembered remembered = new Remembered();

  private final Object lock = new Object();
  private final ArrayDeque<byte[]> queue = new ArrayDeque<>(); // lines of JSON; guarded by lock, as all below
  private long bytes; // in the queue and in the batch that is sent
  private int sending; // events of that batch
  private long queued; // events that were ever in the queue
  private long settled; // those of them that are accepted, rejected or dropped
  private boolean closed;
  private Thread thread;
  private long warned; // when, in nanoseconds
  private long held; // troubles that were not told since
  private final Map<String, Long> counts = new LinkedHashMap<>();
  private String lastError = "";
  private String lastWarning = "";

  /** Takes the address from EVALWORKER_URL, by default http://127.0.0.1:8788 and with "off" none, and the token from EVALWORKER_TOKEN. */
  public Evalworker() {
    this(new Options());
  }

  public Evalworker(Options options) {
    String url = Objects.requireNonNullElse(options.url, Objects.requireNonNullElse(System.getenv("EVALWORKER_URL"), DEFAULT_URL));
    this.off = url.equals("off");
    this.address = off ? null : address(url);
    if (!off && address == null && options.url != null) { // one from the environment must not stop the application
      throw new IllegalArgumentException("evalworker: " + NO_URL);
    }
    this.token = options.token.strip(); // a token from a file often ends with a new line, which no header may hold
    this.maxEvents = options.maxEvents;
    this.maxBytes = options.maxBytes;
    this.maxEventBytes = options.maxEventBytes;
    this.prepare = options.prepare;
    this.logger = options.logger;
    Map.of("DD_SERVICE", "service", "DD_ENV", "environment", "DD_VERSION", "version")
        .forEach((variable, name) -> Optional.ofNullable(System.getenv(variable)).ifPresent(value -> identity.put(name, value)));
    for (String name : List.of("accepted", "rejected", "dropped", "filtered", "withheld", "retries", "warnings")) {
      counts.put(name, 0L);
    }
  }

  /** Returns the address that events are sent to, or null when a text is no URL. */
  private static URI address(String url) {
    try {
      URI address = URI.create(url.replaceAll("/+$", "") + "/v1/events");
      return address.getHost() == null || !address.getScheme().matches("https?") ? null : address;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  /** How events are published; each setter returns the options. */
  public static final class Options {
    private String url;
    private String token = Objects.requireNonNullElse(System.getenv("EVALWORKER_TOKEN"), "");
    private int maxEvents = 10_000;
    private long maxBytes = 64L << 20;
    private int maxEventBytes = 1_000_000;
    private UnaryOperator<Map<String, Object>> prepare;
    private Consumer<String> logger = Logger.getLogger("evalworker")::warning;

    /** Sets the address of the sidecar; with "off" nothing is published. */
    public Options url(String url) {
      this.url = url;
      return this;
    }

    public Options token(String token) {
      this.token = token;
      return this;
    }

    /** Bounds what waits, in events and bytes, and one event, in bytes: a larger one goes without its content, with content_withheld "too_large". */
    public Options bounds(int maxEvents, long maxBytes, int maxEventBytes) {
      this.maxEvents = maxEvents;
      this.maxBytes = maxBytes;
      this.maxEventBytes = maxEventBytes;
      return this;
    }

    /**
     * Gets each event before it is queued and returns it, changed or not, or null to drop it. When it throws, the event goes
     * without its content, with content_withheld "not_redacted".
     */
    public Options prepare(UnaryOperator<Map<String, Object>> prepare) {
      this.prepare = prepare;
      return this;
    }

    /** Gets warnings, at most one a minute; by default the java.util.logging logger "evalworker" does. */
    public Options logger(Consumer<String> logger) {
      this.logger = logger;
      return this;
    }
  }

  // ---- requests, scopes, feedback

  /** A request to a model, or a call that makes one. */
  @FunctionalInterface
  public interface Request<T> {
    T send() throws Exception;
  }

  /** Begins a request. What is nearest to it counts: its own fields before those of scopes, these before DD_SERVICE and the like. */
  public Call begin(Object... fields) {
    return new Call(Content.fields(fields));
  }

  /** Sets fields of what this thread begins until the scope is closed: {@code try (var scope = evalworker.scope("session", id))}. Scopes nest. */
  public Scope scope(Object... fields) {
    Map<String, Object> outer = scopes.get();
    Map<String, Object> inner = new LinkedHashMap<>(Objects.requireNonNullElse(outer, Map.of()));
    inner.putAll(Content.fields(fields));
    scopes.set(inner);
    return () -> {
      if (outer == null) {
        scopes.remove();
      } else {
        scopes.set(outer);
      }
    };
  }

  /** Ends with close, in the thread that has opened it. */
  public interface Scope extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Publishes what a user thought of an answer: "up", "down", or a number with "max", 5; "min", "comment" and more fields may follow.
   * They go before the prompt, session, tenant, user and the like of the request, which the event repeats for the last 1,000 requests.
   */
  public boolean feedback(String requestId, Object rating, Object... fields) {
    Map<String, Object> event = newEvent("llm_user_feedback", remembered.with(requestId, Content.fields(fields)));
    event.put("occurred_at", Instant.now());
    event.put("request_id", requestId);
    event.put("user_rating", rating);
    for (String bound : List.of("min", "max")) {
      if (event.containsKey(bound)) {
        event.put("user_rating_" + bound, event.remove(bound));
      }
    }
    return publish(event);
  }

  private Map<String, Object> newEvent(String kind, Map<String, Object> fields) {
    Map<String, Object> event = new LinkedHashMap<>();
    event.put("event", kind);
    event.putAll(identity);
    event.putAll(Objects.requireNonNullElse(scopes.get(), Map.of()));
    event.putAll(fields);
    return event;
  }

  /** One request that is under way. It may be handed to another thread. */
  public final class Call {
    private final Map<String, Object> event;
    private final long began = System.nanoTime();
    private boolean done;

    private Call(Map<String, Object> fields) {
      event = newEvent("llm_request_completed", fields);
      event.putIfAbsent("request_id", "req_" + UUID.randomUUID().toString().replace("-", ""));
      Optional.ofNullable(traceparent()).ifPresent(header -> event.putIfAbsent("trace_context", Map.of("traceparent", header)));
    }

    public String requestId() {
      return String.valueOf(event.get("request_id"));
    }

    /** Sets a field of the event, such as "input_tokens". */
    public synchronized Call set(String name, Object value) {
      event.putAll(Content.fields(name, value));
      return this;
    }

    /** Notes that the first piece of a streamed answer has come. */
    public synchronized void firstToken() {
      event.putIfAbsent("first_token_latency_ms", elapsed());
    }

    /** Makes the request and publishes it, with the answer or the exception; one whose answer is a CompletionStage, when that completes. */
    public <T> T run(Request<T> request) throws Exception {
      T answer;
      try {
        answer = request.send();
      } catch (Throwable e) {
        finish(e);
        throw e;
      }
      if (answer instanceof CompletionStage) {
        ((CompletionStage<?>) answer).whenComplete(this::finishWith);
      } else {
        finishWith(answer, null);
      }
      return answer;
    }

    private synchronized void finishWith(Object answer, Throwable error) {
      event.putIfAbsent("output", answer);
      finish(error);
    }

    /** Publishes the request, once; with null it has succeeded. */
    public synchronized void finish(Throwable error) {
      if (done) {
        return;
      }
      done = true;
      event.putIfAbsent("llm_latency_ms", elapsed());
      event.put("occurred_at", Instant.now());
      if (error != null) {
        event.put("error_type", Content.errorType(error));
      }
      event.putIfAbsent("status", error == null ? "success" : "error");
      remembered.add(event);
      publish(event);
    }

    private double elapsed() {
      return (System.nanoTime() - began) / 1000 / 1000.0;
    }
  }

  /** Returns the traceparent of the active span, when OpenTelemetry's API is there; Datadog's agent serves it with dd.trace.otel.enabled. */
  private static String traceparent() {
    try {
      Class<?> type = Class.forName("io.opentelemetry.api.trace.Span", true, Thread.currentThread().getContextClassLoader());
      Object context = type.getMethod("getSpanContext").invoke(type.getMethod("current").invoke(null));
      Class<?> facts = Class.forName("io.opentelemetry.api.trace.SpanContext", true, type.getClassLoader());
      if (!(boolean) facts.getMethod("isValid").invoke(context)) {
        return null;
      }
      boolean sampled = (boolean) facts.getMethod("isSampled").invoke(context);
      return "00-" + facts.getMethod("getTraceId").invoke(context) + "-" + facts.getMethod("getSpanId").invoke(context) + (sampled ? "-01" : "-00");
    } catch (ReflectiveOperationException | LinkageError | RuntimeException e) {
      return null; // no tracer, or one that is half set up
    }
  }

  // ---- from an event to a line in the queue

  /** Queues an event. Returns false when it was dropped; {@link #stats} says how many were. Never throws. */
  public boolean publish(Map<String, ?> event) {
    if (off) {
      return false;
    }
    try {
      Map<String, Object> plain = plain(event, event);
      if (prepare != null) {
        plain = prepared(plain);
        if (plain == null) {
          return count("filtered", 1, null);
        }
      }
      byte[] line = Content.write(plain);
      if (line.length > maxEventBytes) {
        line = Content.write(withoutContent(plain, "too_large"));
      }
      return line.length <= maxEventBytes ? queue(line) : count("dropped", 1, "an event is too large even without its content");
    } catch (Throwable e) { // nothing reaches the request
      return count("dropped", 1, "an event cannot be written as JSON: " + e.getClass().getSimpleName());
    }
  }

  /** Runs the hook. Returns null when it drops the event. */
  private Map<String, Object> prepared(Map<String, Object> event) {
    Map<String, Object> bare = new LinkedHashMap<>(event); // the hook may change the event and then fail
    bare.keySet().retainAll(Content.LABELS);
    try {
      Map<String, Object> result = prepare.apply(event);
      if (result == null) {
        return null;
      }
      Map<String, Object> out = new LinkedHashMap<>(result);
      out.putIfAbsent("event", bare.get("event"));
      out.putIfAbsent("request_id", bare.get("request_id"));
      return plain(out, bare);
    } catch (Throwable e) {
      return withoutContent(bare, "not_redacted");
    }
  }

  /** Returns a copy of an event that is maps, lists, texts, numbers and booleans; or, if that is too large, of the labels of bare. */
  private Map<String, Object> plain(Map<String, ?> event, Map<String, ?> bare) {
    try {
      return new Content().map(event);
    } catch (Content.TooLarge e) {
      return withoutContent(bare, "too_large");
    }
  }

  private Map<String, Object> withoutContent(Map<String, ?> event, String why) {
    count("withheld", 1, why.equals("not_redacted") ? "the prepare hook fails: an event goes without its content" : null);
    return Content.withheld(event, why);
  }

  // ---- from the queue to the sidecar

  private boolean queue(byte[] line) {
    String fault = tryToQueue(line);
    return fault == null || count("dropped", 1, fault);
  }

  /** Returns why there is no place for the event, or null. */
  private String tryToQueue(byte[] line) {
    synchronized (lock) {
      if (closed) {
        return "published after close";
      }
      if (address == null) {
        return NO_URL;
      }
      if (queue.size() + sending >= maxEvents || bytes + line.length > maxBytes) {
        return "the queue is full: the sidecar does not keep up or is away";
      }
      queue.add(line);
      queued++;
      bytes += line.length;
      if (thread == null) {
        thread = new Thread(this::sendAll, "evalworker");
        thread.setDaemon(true);
        thread.start();
      }
      lock.notifyAll();
      return null;
    }
  }

  /** Waits until the sidecar has answered for all events published before. Returns false when the time was not enough. */
  public boolean flush(Duration timeout) throws InterruptedException {
    return await(timeout, false);
  }

  /** Is flush; with later, what is published meanwhile counts as well. */
  private boolean await(Duration timeout, boolean later) throws InterruptedException {
    long end = System.nanoTime() + timeout.toNanos();
    synchronized (lock) {
      long goal = queued;
      for (long left; settled < (later ? queued : goal); lock.wait(left)) {
        left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return false;
        }
      }
      return true;
    }
  }

  /** Closes with five seconds. */
  @Override
  public void close() {
    close(Duration.ofSeconds(5));
  }

  /** Flushes, for the timeout at most, and stops; what is left is dropped and counted. Returns whether everything was sent. */
  public boolean close(Duration timeout) {
    boolean sent = false;
    try {
      sent = await(timeout, true);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    int left;
    synchronized (lock) {
      closed = true;
      left = queue.size();
      settled += left;
      queue.clear();
      if (thread != null) {
        thread.interrupt(); // ends an attempt, or a pause between two
      }
      lock.notifyAll();
    }
    if (left > 0) {
      count("dropped", left, "closed before they were sent");
    }
    return sent;
  }

  /**
   * Returns the counts since the start: accepted, rejected (by the sidecar), dropped, filtered (by the prepare hook), withheld
   * (without their content), retries, warnings (of the sidecar), waiting; and last_error and last_warning.
   */
  public Map<String, Object> stats() {
    synchronized (lock) {
      Map<String, Object> out = new LinkedHashMap<>(counts);
      out.put("waiting", queue.size() + sending);
      out.put("last_error", lastError);
      out.put("last_warning", lastWarning);
      return out;
    }
  }

  /** Counts events and tells of a trouble, at most once a minute with how many there were. Returns false. */
  private boolean count(String what, long n, String trouble) {
    String told;
    synchronized (lock) {
      long now = System.nanoTime();
      long total = counts.merge(what, n, Long::sum);
      if (trouble == null) {
        return false;
      }
      if (what.equals("warnings")) {
        lastWarning = trouble;
      } else {
        lastError = trouble;
      }
      if (warned != 0 && now - warned < 60_000_000_000L) {
        held++;
        return false;
      }
      told = "evalworker: " + what + " " + total + ": " + trouble + (held > 0 ? " (and " + held + " more troubles since the last warning)" : "");
      warned = now;
      held = 0;
    }
    try {
      logger.accept(told);
    } catch (RuntimeException e) {
      // a logger that fails must not reach the request
    }
    return false;
  }

  private void sendAll() {
    while (true) {
      List<byte[]> batch = new ArrayList<>();
      int size = 0;
      synchronized (lock) {
        try {
          while (queue.isEmpty() && !closed) {
            lock.wait();
          }
        } catch (InterruptedException e) {
          return; // closed; what waits is counted there
        }
        if (queue.isEmpty()) {
          return;
        }
        while (!queue.isEmpty() && batch.size() < BATCH_EVENTS && (batch.isEmpty() || size + queue.peek().length <= BATCH_BYTES)) {
          size += queue.peek().length;
          batch.add(queue.poll());
        }
        sending = batch.size();
      }
      send(batch);
      synchronized (lock) {
        bytes -= size;
        settled += sending;
        sending = 0;
        lock.notifyAll();
      }
    }
  }

  /** Sends a batch and counts it. Nothing that is thrown may end the thread, or be told: its text may hold the token. */
  private void send(List<byte[]> batch) {
    try {
      HttpResponse<String> response = answerTo(batch);
      if (response.statusCode() == 413 && batch.size() > 1) { // too large as a whole: in halves
        send(batch.subList(0, batch.size() / 2));
        send(batch.subList(batch.size() / 2, batch.size()));
      } else {
        settle(batch.size(), response.statusCode(), response.body());
      }
    } catch (InterruptedException e) {
      count("dropped", batch.size(), "closed before they were sent");
    } catch (RuntimeException e) {
      count("dropped", batch.size(), "they cannot be sent: " + e.getClass().getSimpleName());
    }
  }

  /** Sends a batch until the sidecar has it or has refused it. */
  private HttpResponse<String> answerTo(List<byte[]> batch) throws InterruptedException {
    List<byte[]> body = new ArrayList<>();
    batch.forEach(line -> Collections.addAll(body, line, new byte[] {'\n'}));
    HttpRequest.Builder request = HttpRequest.newBuilder(address).timeout(Duration.ofSeconds(10)).POST(HttpRequest.BodyPublishers.ofByteArrays(body));
    request.header("Content-Type", "application/x-ndjson").header("User-Agent", "evalworker-java/" + VERSION);
    if (!token.isEmpty()) {
      request.header("Authorization", "Bearer " + token);
    }
    for (int attempt = 0; ; attempt++) {
      synchronized (lock) {
        if (closed) {
          throw new InterruptedException();
        }
      }
      long wait;
      try {
        HttpResponse<String> response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        int status = response.statusCode();
        if (status != 408 && status != 429 && status < 500) {
          return response;
        }
        wait = retryAfter(response.headers().firstValue("Retry-After").orElse("1"));
        count("retries", 1, address.getHost() + " answers " + status);
      } catch (IOException e) {
        wait = Math.min(100L << Math.min(attempt, 10), 5_000);
        count("retries", 1, address.getHost() + ":" + address.getPort() + " does not answer: " + e.getClass().getSimpleName());
      }
      Thread.sleep(wait);
    }
  }

  private static long retryAfter(String seconds) {
    try {
      return (long) (Math.min(Math.max(Double.parseDouble(seconds), 0.05), 30) * 1000);
    } catch (NumberFormatException e) {
      return 1000;
    }
  }

  /** Counts an answer. */
  private void settle(int sent, int status, String body) {
    Map<?, ?> answer = Map.of();
    try {
      Object read = new Json(body).whole();
      answer = read instanceof Map ? (Map<?, ?>) read : answer;
    } catch (Json.Broken e) {
      // not the sidecar's own answer; the status says enough
    }
    long taken = number(answer.get("accepted"), status == 202 ? sent : 0);
    taken = Math.max(0, Math.min(taken, sent));
    count("accepted", taken, null);
    if (taken < sent) {
      count("rejected", sent - taken, address.getHost() + " answers " + status + ": " + body.substring(0, Math.min(body.length(), 500)));
    }
    if (answer.get("warnings") instanceof List && !((List<?>) answer.get("warnings")).isEmpty()) {
      List<?> warnings = (List<?>) answer.get("warnings");
      String first = String.valueOf(warnings.get(0));
      count("warnings", warnings.size() + number(answer.get("more_warnings"), 0), address.getHost() + " warns: " + first.substring(0, Math.min(first.length(), 300)));
    }
  }

  private static long number(Object value, long other) {
    return value instanceof Long ? (Long) value : other;
  }
}
