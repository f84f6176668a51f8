package io.github.evalworker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class EvalworkerTest {
  private final List<String> lines = Collections.synchronizedList(new ArrayList<>());
  private final List<String> tokens = Collections.synchronizedList(new ArrayList<>());
  private final List<Integer> busy = Collections.synchronizedList(new ArrayList<>());
  private volatile boolean one; // a body may have one event
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
          byte[] answer = ("{\"accepted\":" + (status == 202 ? events.length : 0) + "}").getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(status, answer.length);
          exchange.getResponseBody().write(answer);
          exchange.close();
        });
    sidecar.start();
    evalworker = new Evalworker("http://127.0.0.1:" + sidecar.getAddress().getPort());
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
    assertTrue(first.contains("\"output\":\"Hello \\\"you\\\".\\u000a\"") && first.contains("\"status\":\"success\""), first);
    assertTrue(first.contains("\"content\":\"Hi\"") && first.contains("\"llm_latency_ms\":"), first);
    assertTrue(lines.get(1).contains("\"error_type\":\"timeout\"") && lines.get(1).contains("\"status\":\"error\""), lines.get(1));
  }

  @Test
  void aBusySidecarIsAskedAgain() throws Exception {
    busy.addAll(List.of(503, 429));
    assertTrue(evalworker.feedback("r1", "up", "comment", "good"));
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    assertEquals(1L, evalworker.status().get("accepted"));
    assertTrue(lines.get(0).contains("\"request_id\":\"r1\"") && lines.get(0).contains("\"user_rating\":\"up\""), lines.get(0));
  }

  @Test
  void aTokenMayEndWithANewLine() throws Exception {
    Evalworker own = new Evalworker("http://127.0.0.1:" + sidecar.getAddress().getPort(), "abc\n");
    own.publish(Map.of("request_id", "r1"));
    assertTrue(own.flush(Duration.ofSeconds(30)));
    assertEquals(1L, own.status().get("accepted"));
    assertEquals("Bearer abc", tokens.get(0));
    own.close();
  }

  @Test
  void whatCannotBeSentIsCountedAndTheThreadGoesOn() throws Exception {
    Evalworker own = new Evalworker("http://127.0.0.1:" + sidecar.getAddress().getPort(), "abc\ndef");
    for (long i = 1; i <= 2; i++) {
      own.publish(Map.of("request_id", "r" + i));
      assertTrue(own.flush(Duration.ofSeconds(30)));
      assertEquals(i, own.status().get("dropped"));
    }
    assertFalse(own.status().get("last_error").toString().contains("abc"), own.status().toString());
    own.close();
  }

  @Test
  void whatJsonHasNoFormFor() throws Exception {
    List<Object> circular = new ArrayList<>();
    circular.add(circular);
    evalworker.publish(Map.of("a", Double.NaN, "b", new byte[3], "c", circular, "d", new int[] {1, 2}, "e", Map.of(), "f", "\ud800"));
    assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    for (String want : List.of("\"a\":null", "\"b\":\"[3 bytes]\"", "\"c\":[\"[circular]\"]", "\"d\":[1,2]", "\"e\":{}", "\"f\":\"\\ud800\"")) {
      assertTrue(lines.get(0).contains(want), lines.get(0));
    }
  }

  @Test
  void aSidecarThatIsAwayCostsMemoryUpToTheBound() throws Exception {
    Evalworker away = new Evalworker("http://127.0.0.1:9");
    for (int i = 0; i < 10_500; i++) {
      away.publish(Map.of("request_id", "r" + i));
    }
    assertFalse(away.flush(Duration.ofMillis(20)));
    assertTrue((long) away.status().get("dropped") >= 400);
    assertTrue((int) away.status().get("waiting") <= 10_100);
    assertThrows(IllegalArgumentException.class, () -> new Evalworker("sidecar"));
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
    assertEquals(0L, evalworker.status().get("refused"));
  }

  @Test
  void aTokenThatNoHeaderMayHoldStopsNothing() throws Exception {
    try (Evalworker broken = new Evalworker("http://127.0.0.1:" + sidecar.getAddress().getPort(), "line\nbreak")) {
      for (int i = 1; i <= 2; i++) {
        broken.publish(Map.of("request_id", "a"));
        assertTrue(broken.flush(Duration.ofSeconds(30)));
        assertEquals((long) i, broken.status().get("dropped"));
        assertFalse(broken.status().toString().contains("break"), "the token is told");
      }
    }
  }
}
