package io.github.evalworker;

import java.lang.reflect.Array;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.TemporalAccessor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Publishes finished requests to language models to evalworker, through the sidecar {@code
 * emitter serve}.
 *
 * <pre>{@code
 * var evalworker = new Evalworker("http://127.0.0.1:8788");      // once
 * var call = evalworker.begin("prompt_name", "triage", "prompt_version", "v3", "input", question);
 * var answer = call.run(() -> model.ask(question));               // published when it returns or throws
 * }</pre>
 *
 * <p>Events wait in a queue of at most 10,000 events and 64 Mi characters, and one daemon thread
 * sends them. Nothing here makes a request wait or fail: when the queue is full an event is dropped
 * and counted. Values are maps, lists, texts, numbers and booleans; a text that holds a provider's
 * answer as JSON is read as that answer.
 */
public final class Evalworker implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger("evalworker");
  private static final int BATCH_EVENTS = 100;
  private static final int BATCH_CHARS = 1 << 20;
  private static final int MAX_EVENTS = 10_000;
  private static final long MAX_CHARS = 64L << 20;
  private static final int MAX_DEPTH = 100;

  private final URI address;
  private final String token;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
  private final Map<String, Object> identity = new LinkedHashMap<>();

  private final Object lock = new Object();
  private final ArrayDeque<String> queue = new ArrayDeque<>(); // guarded by lock, as all below
  private long chars;
  private int sending;
  private boolean closed;
  private Thread thread;
  private long warned;
  private long accepted;
  private long refused;
  private long dropped;
  private String lastError = "";

  /** Takes the address from EVALWORKER_URL and the token from EVALWORKER_TOKEN. */
  public Evalworker() {
    this(Objects.requireNonNullElse(System.getenv("EVALWORKER_URL"), "http://127.0.0.1:8788"));
  }

  public Evalworker(String url) {
    this(url, Objects.requireNonNullElse(System.getenv("EVALWORKER_TOKEN"), ""));
  }

  public Evalworker(String url, String token) {
    this.address = URI.create(url.replaceAll("/+$", "") + "/v1/events");
    if (address.getHost() == null) {
      throw new IllegalArgumentException("evalworker: \"" + url + "\" is no URL of a sidecar; write http://host:8788");
    }
    this.token = token.strip(); // a token from a file often ends with a new line, which no header may hold
    String[][] variables = {{"DD_SERVICE", "service"}, {"DD_ENV", "environment"}, {"DD_VERSION", "version"}};
    for (String[] variable : variables) {
      Optional.ofNullable(System.getenv(variable[0])).ifPresent(value -> identity.put(variable[1], value));
    }
  }

  /** A request to a model, or a call that makes one. */
  @FunctionalInterface
  public interface Request<T> {
    T send() throws Exception;
  }

  /** Begins a request with fields of the event, as names and values in turn. */
  public Call begin(Object... fields) {
    return new Call(pairs(fields));
  }

  /** Publishes what a user thought of an answer: "up", "down", or a number with user_rating_max. */
  public boolean feedback(String requestId, Object rating, Object... fields) {
    Map<String, Object> event = new LinkedHashMap<>(identity);
    event.put("event", "llm_user_feedback");
    event.put("occurred_at", Instant.now());
    event.putAll(pairs(fields));
    event.put("request_id", requestId);
    event.put("user_rating", rating);
    return publish(event);
  }

  /** Queues an event. Returns false when it was dropped; {@link #status} says how many were. */
  public boolean publish(Map<String, ?> event) {
    String line;
    try {
      StringBuilder out = new StringBuilder();
      write(out, event, new IdentityHashMap<>(), 0);
      line = out.append('\n').toString();
    } catch (RuntimeException e) {
      synchronized (lock) {
        return drop(1, "an event cannot be written as JSON: " + e);
      }
    }
    synchronized (lock) {
      if (closed) {
        return drop(1, "published after close");
      }
      if (queue.size() >= MAX_EVENTS || chars + line.length() > MAX_CHARS) {
        return drop(1, "the queue is full: the sidecar does not keep up or is away");
      }
      queue.add(line);
      chars += line.length();
      if (thread == null) {
        thread = new Thread(this::sendAll, "evalworker");
        thread.setDaemon(true);
        thread.start();
      }
      lock.notifyAll();
      return true;
    }
  }

  /** Waits until the sidecar has everything. Returns false when the time was not enough. */
  public boolean flush(Duration timeout) throws InterruptedException {
    long end = System.nanoTime() + timeout.toNanos();
    synchronized (lock) {
      while (!queue.isEmpty() || sending > 0) {
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return false;
        }
        lock.wait(left);
      }
      return true;
    }
  }

  /** Flushes for up to five seconds and stops; what is left is dropped and counted. */
  @Override
  public void close() {
    try {
      flush(Duration.ofSeconds(5));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    synchronized (lock) {
      closed = true;
      if (!queue.isEmpty()) {
        drop(queue.size(), "closed before they were sent");
        queue.clear();
        chars = 0;
      }
      lock.notifyAll();
    }
  }

  /** Returns the counts since the start: accepted, refused, dropped, waiting, and last_error. */
  public Map<String, Object> status() {
    synchronized (lock) {
      return Map.of("accepted", accepted, "refused", refused, "dropped", dropped, "waiting", queue.size() + sending, "last_error", lastError);
    }
  }

  private boolean drop(int n, String why) {
    dropped += n;
    say(dropped + " events dropped: " + why);
    return false;
  }

  /** Logs a trouble, at most once a minute. */
  private void say(String text) {
    lastError = text;
    long now = System.nanoTime();
    if (warned != 0 && now - warned < 60_000_000_000L) {
      return;
    }
    warned = now;
    LOG.log(Level.WARNING, "evalworker: {0}", text);
  }

  private void sendAll() {
    while (true) {
      List<String> batch = new ArrayList<>();
      synchronized (lock) {
        try {
          while (queue.isEmpty() && !closed) {
            lock.wait();
          }
        } catch (InterruptedException e) {
          return;
        }
        if (queue.isEmpty()) {
          return;
        }
        int size = 0;
        while (!queue.isEmpty() && batch.size() < BATCH_EVENTS && (batch.isEmpty() || size + queue.peek().length() <= BATCH_CHARS)) {
          size += queue.peek().length();
          batch.add(queue.poll());
        }
        chars -= size;
        sending = batch.size();
      }
      try {
        send(batch);
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) { // nothing may end the thread; the text may hold the token
        synchronized (lock) {
          drop(batch.size(), "they cannot be sent: " + e.getClass().getSimpleName());
        }
      } finally {
        synchronized (lock) {
          sending = 0;
          lock.notifyAll();
        }
      }
    }
  }

  /** Sends a batch until the sidecar has it or has refused it. One that is too large as a whole is sent in halves. */
  private void send(List<String> batch) throws InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(address)
            .timeout(Duration.ofSeconds(10))
            .header("Content-Type", "application/x-ndjson")
            .POST(HttpRequest.BodyPublishers.ofString(String.join("", batch)));
    if (!token.isEmpty()) {
      request.header("Authorization", "Bearer " + token);
    }
    for (int attempt = 0; ; attempt++) {
      long wait;
      String problem;
      try {
        HttpResponse<String> response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        int status = response.statusCode();
        if (status == 413 && batch.size() > 1) {
          int half = batch.size() / 2;
          send(batch.subList(0, half));
          send(batch.subList(half, batch.size()));
          return;
        }
        if (status != 408 && status != 429 && status < 500) {
          settle(batch.size(), status, response.body());
          return;
        }
        wait = retryAfter(response.headers().firstValue("Retry-After").orElse("1"));
        problem = address + " answers " + status;
      } catch (java.io.IOException e) {
        wait = Math.min(100L << Math.min(attempt, 10), 5_000);
        problem = address + " does not answer: " + e;
      }
      synchronized (lock) {
        say(problem + "; " + (batch.size() + queue.size()) + " events wait");
        long end = System.nanoTime() + wait * 1_000_000;
        for (long left = wait; !closed && left > 0; left = (end - System.nanoTime()) / 1_000_000) {
          lock.wait(left);
        }
        if (closed) {
          drop(batch.size(), "closed before they were sent");
          return;
        }
      }
    }
  }

  private static long retryAfter(String seconds) {
    try {
      return (long) (Math.min(Math.max(Double.parseDouble(seconds), 0.05), 30) * 1000);
    } catch (NumberFormatException e) {
      return 1000;
    }
  }

  /** Counts an answer. Of its JSON only the number of accepted events matters. */
  private void settle(int sent, int status, String body) {
    java.util.regex.Matcher found = java.util.regex.Pattern.compile("\"accepted\"\\s*:\\s*(\\d+)").matcher(body);
    long taken = found.find() ? Long.parseLong(found.group(1)) : status == 202 ? sent : 0;
    synchronized (lock) {
      accepted += taken;
      if (taken < sent) {
        refused += sent - taken;
        say(address + " answers " + status + " and refuses " + (sent - taken) + " of " + sent + " events: " + body.substring(0, Math.min(body.length(), 500)));
      }
    }
  }

  private static Map<String, Object> pairs(Object[] fields) {
    if (fields.length % 2 != 0) {
      throw new IllegalArgumentException("evalworker: fields are names and values in turn; the last name has no value");
    }
    Map<String, Object> out = new LinkedHashMap<>();
    for (int i = 0; i < fields.length; i += 2) {
      out.put((String) fields[i], fields[i + 1]);
    }
    return out;
  }

  private static void write(StringBuilder out, Object value, IdentityHashMap<Object, Object> above, int depth) {
    if (value == null) {
      out.append("null");
    } else if (value instanceof Double && !Double.isFinite((Double) value) || value instanceof Float && !Float.isFinite((Float) value)) {
      out.append("null");
    } else if (value instanceof Number || value instanceof Boolean) {
      out.append(value);
    } else if (value instanceof byte[]) {
      quote(out, "[" + ((byte[]) value).length + " bytes]");
    } else if (value instanceof Optional) {
      write(out, ((Optional<?>) value).orElse(null), above, depth);
    } else if (value instanceof Map || value instanceof Iterable || value.getClass().isArray()) {
      if (depth > MAX_DEPTH || above.put(value, value) != null) {
        quote(out, "[circular]");
        return;
      }
      char before = value instanceof Map ? '{' : '[';
      if (value instanceof Map) {
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
          if (entry.getValue() == null) {
            continue;
          }
          out.append(before);
          quote(out, String.valueOf(entry.getKey()));
          out.append(':');
          write(out, entry.getValue(), above, depth + 1);
          before = ',';
        }
        out.append(before == '{' ? "{}" : "}");
      } else {
        Iterable<?> items = value instanceof Iterable ? (Iterable<?>) value : itemsOf(value);
        for (Object item : items) {
          out.append(before);
          write(out, item, above, depth + 1);
          before = ',';
        }
        out.append(before == '[' ? "[]" : "]");
      }
      above.remove(value);
    } else if (value instanceof TemporalAccessor || value instanceof CharSequence || value instanceof Enum) {
      quote(out, value.toString());
    } else {
      quote(out, String.valueOf(value));
    }
  }

  private static List<Object> itemsOf(Object array) {
    List<Object> out = new ArrayList<>();
    for (int i = 0; i < Array.getLength(array); i++) {
      out.add(Array.get(array, i));
    }
    return out;
  }

  private static void quote(StringBuilder out, String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < 0x20 || Character.isSurrogate(c)) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }

  /** One request that is under way. */
  public final class Call {
    private final Map<String, Object> event = new LinkedHashMap<>(identity);
    private final long began = System.nanoTime();
    private boolean done;

    private Call(Map<String, Object> fields) {
      event.put("event", "llm_request_completed");
      event.put("request_id", "req_" + UUID.randomUUID().toString().replace("-", ""));
      event.putAll(fields);
    }

    public String requestId() {
      return (String) event.get("request_id");
    }

    /** Sets a field of the event, such as "input_tokens". */
    public Call set(String name, Object value) {
      event.put(name, value);
      return this;
    }

    /** Notes that the first piece of a streamed answer has come. */
    public void firstToken() {
      event.putIfAbsent("first_token_latency_ms", elapsed());
    }

    /** Makes the request and publishes it, with the answer or the exception. */
    public <T> T run(Request<T> request) throws Exception {
      try {
        T answer = request.send();
        event.putIfAbsent("output", answer);
        finish(null);
        return answer;
      } catch (Exception e) {
        finish(e);
        throw e;
      }
    }

    /** Publishes the request, once; with null it has succeeded. */
    public void finish(Throwable error) {
      if (done) {
        return;
      }
      done = true;
      event.putIfAbsent("llm_latency_ms", elapsed());
      event.put("occurred_at", Instant.now());
      if (error != null) {
        String name = error.getClass().getSimpleName();
        event.put("error_type", name.contains("Timeout") ? "timeout" : name);
      }
      event.putIfAbsent("status", error == null ? "success" : "error");
      publish(event);
    }

    private double elapsed() {
      return (System.nanoTime() - began) / 1000 / 1000.0;
    }
  }
}
