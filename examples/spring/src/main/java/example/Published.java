package example;

import io.github.evalworker.Evalworker;
import jakarta.servlet.http.HttpServletRequest;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import org.springframework.stereotype.Component;

/** Begins calls with what the current HTTP request says of session and user. */
@Component
class Published {
  private final Evalworker evalworker;
  private final HttpServletRequest request; // Spring's proxy for the request of this thread

  Published(Evalworker evalworker, HttpServletRequest request) {
    this.evalworker = evalworker;
    this.request = request;
  }

  Evalworker.Call begin(Object input) {
    String user = String.valueOf(request.getHeader("x-user"));
    return evalworker.begin(
        "feature", "support", "prompt_name", "triage", "prompt_version", "v3",
        "session_id", request.getHeader("x-session"),
        "user_id_hash", UUID.nameUUIDFromBytes(user.getBytes(StandardCharsets.UTF_8)).toString(),
        "input", input);
  }
}
