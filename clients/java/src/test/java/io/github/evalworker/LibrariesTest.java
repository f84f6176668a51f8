package io.github.evalworker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.ObjectMappers;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.sun.net.httpserver.HttpServer;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** With OpenAI's library and OpenTelemetry's API, as README.md shows. */
class LibrariesTest {
  private static final String ANSWER =
      "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"gpt-5-2026\",\"service_tier\":\"default\","
          + "\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"logprobs\":null,\"message\":{\"role\":\"assistant\",\"content\":\"Hello.\",\"refusal\":null}}],"
          + "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,\"completion_tokens_details\":{\"reasoning_tokens\":1}}}";

  private final List<String> lines = Collections.synchronizedList(new ArrayList<>());
  private HttpServer server; // the provider and the sidecar

  @BeforeEach
  void start() throws Exception {
    server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext(
        "/",
        exchange -> {
          String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
          boolean events = exchange.getRequestURI().getPath().equals("/v1/events");
          if (events) {
            lines.addAll(List.of(body.split("\n")));
          }
          byte[] answer = (events ? "{\"accepted\":1}" : ANSWER).getBytes(StandardCharsets.UTF_8);
          exchange.getResponseHeaders().set("Content-Type", "application/json");
          exchange.sendResponseHeaders(events ? 202 : 200, answer.length);
          exchange.getResponseBody().write(answer);
          exchange.close();
        });
    server.start();
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  @Test
  void everyFieldOfAnAnswerOfOpenAI() throws Exception {
    OpenAIClient openai = OpenAIOkHttpClient.builder().baseUrl(url()).apiKey("none").build();
    var params = ChatCompletionCreateParams.builder().model("gpt-5").addUserMessage("Hi").build();
    try (var evalworker = new Evalworker(new Evalworker.Options().url(url()))) {
      var call = evalworker.begin("prompt_name", "triage", "provider", "openai", "input", ObjectMappers.jsonMapper().writeValueAsString(params._body()));
      ChatCompletion answer = call.run(() -> {
        ChatCompletion completion = openai.chat().completions().create(params);
        call.set("model", completion.model()).set("output", ObjectMappers.jsonMapper().writeValueAsString(completion));
        completion.usage().ifPresent(usage -> call.set("input_tokens", usage.promptTokens()).set("output_tokens", usage.completionTokens()));
        return completion;
      });
      assertEquals("Hello.", answer.choices().get(0).message().content().orElseThrow());
      assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    } finally {
      openai.close();
    }
    JsonNode event = ObjectMappers.jsonMapper().readTree(lines.get(0));
    assertEquals(ObjectMappers.jsonMapper().readTree(ANSWER), ObjectMappers.jsonMapper().readTree(event.get("output").asText()));
    assertEquals("Hi", ObjectMappers.jsonMapper().readTree(event.get("input").asText()).at("/messages/0/content").asText());
    assertEquals("gpt-5-2026", event.get("model").asText());
    assertEquals(List.of(3, 2), List.of(event.get("input_tokens").asInt(), event.get("output_tokens").asInt()));
  }

  @Test
  void theTraceOfTheActiveSpan() throws Exception {
    try (var evalworker = new Evalworker(new Evalworker.Options().url(url()))) {
      var span = Span.wrap(SpanContext.create("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", TraceFlags.getSampled(), TraceState.getDefault()));
      try (var scope = span.makeCurrent()) {
        evalworker.begin().finish(null);
      }
      evalworker.begin().finish(null);
      assertTrue(evalworker.flush(Duration.ofSeconds(30)));
    }
    assertTrue(lines.get(0).contains("\"trace_context\":{\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}"), lines.get(0));
    assertFalse(lines.get(1).contains("trace_context"), lines.get(1));
  }
}
