package io.github.evalworker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class EvalworkerTest {
  static {
    System.setProperty("sun.net.httpserver.nodelay", "true"); // else each answer waits for a delayed acknowledgement
  }

  private final List<String> lines = Collections.synchronizedList(new ArrayList<>());
  private final List<String> tokens = Collections.synchronizedList(new ArrayList<>());
  private final List<Integer> busy = Collections.synchronizedList(new ArrayList<>());
  private volatile boolean one; // a body may have one event
  private volatile String warnings = "";
  private HttpServer sidecar;
  private Evalworker evalworker;

  @BeforeEach
  void start() throws Exception {
    sidecar = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    sidecar.createContext(
        "/v1/events",
        exchange -> {
          String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
          int status = busy.isEmpty() ? 202 : busy.remove(0);
          String[] events = body.split("\n");
          tokens.add(exchange.getRequestHeaders().getFirst("Authorization"));
          if (one && status == 202 && events.length > 1) {
            status = 413;
          }
          if (status == 202) {
            lines.addAll(List.of(events));
          }
          exchange.getResponseHeaders().set("Retry-After", "0.05");
          byte[] answer = ("{\"accepted\":" + (status == 202 ? events.length : 0) + warnings + "}").getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(status, answer.length);
          exchange.getResponseBody().write(answer);
          exchange.close();
        });
    sidecar.start();
    evalworker = new Evalworker(options());
  }

  private Evalworker.Options options() {
    return new Evalworker.Options().url("http://127.0.0.1:" + sidecar.getAddress().getPort());
  }

  @AfterEach
  void stop() {
    evalworker.close();
    sidecar.stop(0);
  }

  @Test
  void aRequestIsPublishedWithItsAnswerOrException() throws Exception {
    assertEquals("Hello \"you\".\n", evalworker.begin("prompt_name", "triage", "input", List.of(Map.of("role", "user", "content", "Hi"))).run(() -> "Hello \"you\".\n"));
    assertThrows(TimeoutException.class, () -> evalworker.begin("prompt_name", "triage").run(() -> { throw new TimeoutException("late"); }));
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    assertEquals(2, lines.size());
    String first = lines.get(0);
    assertTrue(first.contains("\"event\":\"llm_request_completed\"") && first.contains("\"prompt_name\":\"triage\""), first);
    assertTrue(first.contains("\"output\":\"Hello \\\"you\\\".\\n\"") && first.contains("\"status\":\"success\""), first);
    assertTrue(first.contains("\"content\":\"Hi\"") && first.contains("\"llm_latency_ms\":"), first);
    assertTrue(lines.get(1).contains("\"error_type\":\"timeout\"") && lines.get(1).contains("\"status\":\"error\""), lines.get(1));
  }

  @Test
  void aBusySidecarIsAskedAgain() throws Exception {
    busy.addAll(List.of(503, 429));
    assertTrue(evalworker.feedback("r1", "up", "comment", "good"));
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    assertEquals(1L, evalworker.stats().get("accepted"));
    assertTrue(lines.get(0).contains("\"request_id\":\"r1\"") && lines.get(0).contains("\"user_rating\":\"up\""), lines.get(0));
  }

  @Test
  void aRatingHasItsScale() throws Exception {
    evalworker.feedback("r1", 4, "min", 1, "max", 5);
    String event = only();
    assertTrue(event.contains("\"user_rating\":4,\"user_rating_min\":1,\"user_rating_max\":5"), event);
  }

  @Test
  void feedbackRepeatsWhatIsKnownOfItsRequest() throws Exception {
    var labels = new Object[] {"request_id", "r0", "prompt_name", "triage", "prompt_version", "v3", "session", "s1", "user", "u1", "trace_context", Map.of("traceparent", "00-1-2-01"), "input", "Hi"};
    evalworker.begin(labels).run(() -> "Hello.");
    try (var scope = evalworker.scope("session", "of the handler of feedback")) {
      evalworker.feedback("r0", "up", "prompt_version", "v4");
    }
    for (int i = 1; i <= 1000; i++) {
      evalworker.begin("request_id", "r" + i).finish(null);
    }
    evalworker.feedback("r0", "up");
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    JsonNode asked = new ObjectMapper().readTree(lines.get(0));
    JsonNode rated = new ObjectMapper().readTree(lines.get(1));
    for (String name : List.of("prompt_name", "session_id", "user_id_hash", "trace_context")) {
      assertTrue(asked.has(name) && asked.get(name).equals(rated.get(name)), lines.get(1));
    }
    assertEquals("v4", rated.get("prompt_version").textValue());
    assertFalse(rated.has("input") || rated.has("status"), lines.get(1));
    assertFalse(lines.get(1002).contains("prompt_name"), lines.get(1002)); // the request is one of too many
  }

  @Test
  void aTokenMayEndWithANewLine() throws Exception {
    Evalworker own = new Evalworker(options().token("abc\n"));
    own.publish(Map.of("request_id", "r1"));
    assertTrue(own.flush(Duration.ofSeconds(30)));
    assertEquals(1L, own.stats().get("accepted"));
    assertEquals("Bearer abc", tokens.get(0));
    own.close();
  }

  @Test
  void whatCannotBeSentIsCountedAndTheThreadGoesOn() throws Exception {
    Evalworker own = new Evalworker(options().token("abc\ndef"));
    for (long i = 1; i <= 2; i++) {
      own.publish(Map.of("request_id", "r" + i));
      assertTrue(own.flush(Duration.ofSeconds(30)));
      assertEquals(i, own.stats().get("dropped"));
    }
    assertFalse(own.stats().get("last_error").toString().contains("abc"), own.stats().toString());
    own.close();
  }

  @Test
  void whatJsonHasNoFormFor() throws Exception {
    List<Object> circular = new ArrayList<>();
    circular.add(circular);
    Object broken = new Object() {
      @Override
      public String toString() {
        throw new IllegalStateException("no");
      }
    };
    evalworker.publish(Map.of("g", List.of(1, broken), "a", Double.NaN, "b", new byte[3], "c", circular, "d", new int[] {1, 2}, "e", Map.of(), "f", "\ud800"));
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    for (String want : List.of("\"g\":[1,\"[unreadable]\"]", "\"a\":null", "\"b\":\"AAAA\"", "\"c\":[\"[circular]\"]", "\"d\":[1,2]", "\"e\":{}", "\"f\":\"\\ud800\"")) {
      assertTrue(lines.get(0).contains(want), lines.get(0));
    }
  }

  @Test
  void aSidecarThatIsAwayCostsMemoryUpToTheBound() throws Exception {
    Evalworker away = new Evalworker(new Evalworker.Options().url("http://127.0.0.1:9"));
    for (int i = 0; i < 10_500; i++) {
      away.publish(Map.of("request_id", "r" + i));
    }
    assertFalse(away.flush(Duration.ofMillis(20)));
    assertTrue((long) away.stats().get("dropped") >= 400);
    assertTrue((int) away.stats().get("waiting") <= 10_100);
    assertThrows(IllegalArgumentException.class, () -> new Evalworker(new Evalworker.Options().url("sidecar")));
    assertThrows(IllegalArgumentException.class, () -> away.begin("input"));
  }

  @Test
  void aBodyThatIsTooLargeIsSentInHalves() throws Exception {
    one = true;
    synchronized (busy) { // no answer before all are queued, so that some are sent together
      for (int i = 0; i < 20; i++) {
        evalworker.publish(Map.of("request_id", "r" + i));
      }
      busy.add(502);
    }
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    assertEquals(20, lines.size());
    assertEquals(0L, evalworker.stats().get("rejected"));
  }

  @Test
  void aTokenThatNoHeaderMayHoldStopsNothing() throws Exception {
    try (Evalworker broken = new Evalworker(options().token("line\nbreak"))) {
      for (int i = 1; i <= 2; i++) {
        broken.publish(Map.of("request_id", "a"));
        assertTrue(broken.flush(Duration.ofSeconds(30)));
        assertEquals((long) i, broken.stats().get("dropped"));
        assertFalse(broken.stats().toString().contains("break"), "the token is told");
      }
    }
  }

  /** Returns the only event that the sidecar has got. */
  private String only() throws Exception {
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    assertEquals(1, lines.size(), lines.toString());
    return lines.remove(0);
  }

  @Test
  void scopesNestAndEnd() throws Exception {
    try (var outer = evalworker.scope("session", "s1", "user", "alice@example.com", "feature", "a")) {
      try (var inner = evalworker.scope("feature", "b", "tenant", "t")) {
        evalworker.begin("prompt_version", "v2").finish(null);
      }
      String first = only();
      for (String want : List.of("\"session_id\":\"s1\"", "\"feature\":\"b\"", "\"tenant_id\":\"t\"", "\"prompt_version\":\"v2\"", "\"user_id_hash\":\"ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976\"")) {
        assertTrue(first.contains(want), first);
      }
      assertFalse(first.contains("alice"), first);
      evalworker.begin().finish(null);
      String second = only();
      assertTrue(second.contains("\"feature\":\"a\"") && !second.contains("tenant"), second);
    }
    evalworker.begin().finish(null);
    assertFalse(only().contains("session"));
  }

  /** Returns a table that the tests of all clients read. */
  private static JsonNode table(String name) throws Exception {
    JsonNode table = new ObjectMapper().readTree(new File("../testdata/" + name));
    assertTrue(table.size() > 10, name);
    return table;
  }

  @Test
  void mediaAreReplacedAsAllClientsReplaceThem() throws Exception {
    for (JsonNode each : table("media.json")) {
      evalworker.publish(Map.of("input", new ObjectMapper().convertValue(each.get("value"), Object.class)));
      assertEquals(each.get("want"), new ObjectMapper().readTree(only()).get("input"), each.get("name").asText());
    }
  }

  @Test
  void offPublishesNothing() throws Exception {
    try (Evalworker off = new Evalworker(options().url("off"))) {
      off.begin("input", "Hi").finish(null);
      assertTrue(off.flush(Duration.ofSeconds(30)));
      assertEquals(List.of(0L, 0L, 0), List.of(off.stats().get("accepted"), off.stats().get("dropped"), off.stats().get("waiting")));
    }
    for (String url : List.of("ftp://a.b", "a b", "127.0.0.1:8788")) {
      assertThrows(IllegalArgumentException.class, () -> new Evalworker(options().url(url)), url);
    }
  }

  @Test
  void bytesGoOutAsTypeSizeAndDigest() throws Exception {
    byte[] data = new byte[50_000];
    String want = ";size=50000;sha256=" + Content.sha256(data) + ";base64,\"";
    evalworker.publish(Map.of("a", Map.of("mime_type", "image/png", "data", data), "b", data, "c", new byte[] {97, 98, 99}, "d", new byte[191], "e", new byte[192]));
    String event = only();
    assertTrue(event.contains("\"data\":\"data:image/png" + want) && event.contains("\"b\":\"data:" + want) && event.contains("\"c\":\"YWJj\""), event);
    assertTrue(event.contains("\"d\":\"AAAA") && event.contains("\"e\":\"data:;size=192;"), event);
  }

  @Test
  void theLicenseIsInTheJar() throws Exception {
    Path classes = Path.of(Evalworker.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    assertEquals(Files.readString(Path.of("../../LICENSE")), Files.readString(classes.resolve("META-INF/LICENSE")));
  }

  @Test
  void usersAreHashedAsAllClientsHashThem() throws Exception {
    for (JsonNode each : table("user.json")) {
      assertEquals(each.get("hash").asText(), Objects.requireNonNullElse(Content.hashUser(each.get("user").asText(), each.get("key").asText()), ""));
    }
  }

  @Test
  void anEventThatIsTooLargeGoesWithoutItsContent() throws Exception {
    for (int size : new int[] {600_000, 50 << 20}) {
      evalworker.begin("input", "é".repeat(size), "prompt_name", "p", "own", "secret").finish(null);
      String event = only();
      assertTrue(event.contains("\"content_withheld\":\"too_large\"") && event.contains("\"prompt_name\":\"p\"") && event.contains("\"status\":\"success\""), event);
      assertTrue(event.length() < 1000 && !event.contains("secret"), event);
    }
    assertEquals(2L, evalworker.stats().get("withheld"));
  }

  @Test
  void theHookChangesAndDropsAndItsFailureLetsNoContentOut() throws Exception {
    evalworker.close();
    evalworker = new Evalworker(options().logger(text -> { throw new IllegalStateException("a logger that fails"); }).prepare(event -> {
      switch (String.valueOf(event.get("request_id"))) {
        case "drop":
          return null;
        case "fail":
          event.put("note", event.get("input"));
          throw new IllegalStateException("secret");
        case "error":
          throw new AssertionError("secret");
        default:
          return Map.of("input", "***", "at", java.time.Instant.EPOCH);
      }
    }));
    evalworker.begin("request_id", "drop", "input", "secret").finish(null);
    evalworker.begin("request_id", "r1", "input", "secret").finish(null);
    String event = only();
    assertTrue(event.contains("\"input\":\"***\"") && event.contains("\"request_id\":\"r1\"") && event.contains("\"event\":\"llm_request_completed\"") && event.contains("1970-01-01"), event);
    for (String id : List.of("fail", "error")) {
      evalworker.begin("request_id", id, "input", "secret", "model", "m").finish(null);
      event = only();
      assertTrue(event.contains("\"content_withheld\":\"not_redacted\"") && event.contains("\"model\":\"m\"") && !event.contains("secret"), event);
    }
    assertEquals(List.of(1L, 2L, 0L), List.of(evalworker.stats().get("filtered"), evalworker.stats().get("withheld"), evalworker.stats().get("dropped")));
  }

  @Test
  void anAnswerThatComesLaterIsPublishedThen() throws Exception {
    var answer = new java.util.concurrent.CompletableFuture<String>();
    evalworker.begin("input", "Hi").run(() -> answer);
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    assertEquals(0, lines.size());
    answer.complete("Hello.");
    assertTrue(only().contains("\"output\":\"Hello.\""));
    var failed = new java.util.concurrent.CompletableFuture<String>();
    evalworker.begin("input", "Hi").run(() -> failed);
    failed.cancel(true);
    assertTrue(only().contains("\"error_type\":\"cancelled\""));
  }

  @Test
  void warningsOfTheSidecarAreCountedAndToldOnce() throws Exception {
    evalworker.close();
    List<String> told = Collections.synchronizedList(new ArrayList<>());
    evalworker = new Evalworker(options().logger(told::add));
    for (String each : List.of(",\"warnings\":[\"unknown field usage\"]", ",\"warnings\": [{\"line\":1,\"field\":\"a\\u0062\"},7],\"more_warnings\":4", ",\"warnings\":[]")) {
      warnings = each;
      evalworker.begin().finish(null);
      only();
    }
    assertEquals(List.of(7L, "", "127.0.0.1 warns: {line=1, field=ab}"), List.of(evalworker.stats().get("warnings"), evalworker.stats().get("last_error"), evalworker.stats().get("last_warning")));
    assertTrue(told.size() == 1 && told.get(0).contains("unknown field usage"), told.toString());
  }

  @Test
  void flushWaitsForWhatWasPublishedBefore() throws Exception {
    var over = new java.util.concurrent.atomic.AtomicBoolean();
    Thread more = new Thread(() -> {
      while (!over.get()) {
        evalworker.publish(Map.of("request_id", "later"));
        java.util.concurrent.locks.LockSupport.parkNanos(100_000);
      }
    });
    evalworker.publish(Map.of("request_id", "first"));
    more.start();
    try {
      assertTrue(evalworker.flush(Duration.ofSeconds(30)));
      assertTrue(lines.get(0).contains("first"));
    } finally {
      over.set(true);
      more.join();
    }
  }

  @Test
  void theQueueIsBoundedInBytes() throws Exception {
    try (Evalworker away = new Evalworker(options().url("http://127.0.0.1:9").bounds(1000, 1000, 500))) {
      for (int i = 0; i < 100; i++) {
        away.publish(Map.of("request_id", "é".repeat(50)));
      }
      assertEquals(List.of(8, 92L), List.of(away.stats().get("waiting"), away.stats().get("dropped")));
      assertFalse(away.close(Duration.ZERO));
      assertTrue((long) away.stats().get("dropped") >= 92);
    }
  }

  @Test
  void theDocumentedShutdownLosesNoneOfTenThousand() throws Exception {
    busy.addAll(List.of(503, 429));
    String program = System.getProperty("java.home") + "/bin/java";
    ProcessBuilder builder = new ProcessBuilder(program, "-cp", System.getProperty("java.class.path"), Shutdown.class.getName());
    builder.environment().put("EVALWORKER_URL", "http://127.0.0.1:" + sidecar.getAddress().getPort());
    Process process = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
    try {
      assertEquals('r', process.getInputStream().read());
      process.destroy(); // SIGTERM
      assertTrue(process.waitFor(30, java.util.concurrent.TimeUnit.SECONDS));
    } finally {
      process.destroyForcibly();
    }
    assertEquals(10_000, lines.stream().map(line -> line.replaceAll(".*\"request_id\":\"(\\w+)\".*", "$1")).distinct().count());
  }

  /** An application that is stopped while 10,000 events wait. */
  static final class Shutdown {
    public static void main(String[] args) throws Exception {
      var evalworker = new Evalworker();
      Runtime.getRuntime().addShutdownHook(new Thread(evalworker::close));
      for (int i = 0; i < 10_000; i++) {
        evalworker.begin("input", "Hi").run(() -> "Hello.");
      }
      System.out.write('r');
      System.out.flush();
      Thread.sleep(60_000);
    }
  }
}
