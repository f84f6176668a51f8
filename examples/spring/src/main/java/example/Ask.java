package example;

import io.github.evalworker.Evalworker;
import java.util.List;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

@RestController
class Ask {
  private final Evalworker evalworker;
  private final RestClient model;

  Ask(Evalworker evalworker, @Value("${OPENAI_BASE_URL:https://api.openai.com/v1}") String url, @Value("${OPENAI_API_KEY}") String key) {
    this.evalworker = evalworker;
    this.model = RestClient.builder().baseUrl(url).defaultHeader("Authorization", "Bearer " + key).build();
  }

  record Question(String question) {}

  @PostMapping("/ask")
  ResponseEntity<Map<String, String>> ask(@RequestBody Question body) throws Exception {
    var messages = List.of(Map.of("role", "user", "content", body.question()));
    var call = evalworker.begin("feature", "support", "prompt_name", "triage", "prompt_version", "v3", "input", messages);
    try {
      // The provider's whole answer is published, and read as that: text, tokens, finish reason.
      String answer = call.run(() -> model.post().uri("/chat/completions").contentType(MediaType.APPLICATION_JSON)
          .body(Map.of("model", "gpt-4o-mini", "messages", messages)).retrieve().body(String.class));
      return ResponseEntity.ok(Map.of("answer", answer, "request_id", call.requestId()));
    } catch (org.springframework.web.client.RestClientException e) { // published too, as an error
      return ResponseEntity.status(502).body(Map.of("error", "the model does not answer"));
    }
  }
}
