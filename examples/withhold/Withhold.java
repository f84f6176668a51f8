import io.github.evalworker.Evalworker;
import java.util.Map;
import java.util.Set;

/** Withholds content at its source: what this leaves out never leaves the process. */
public class Withhold {
  static final Set<String> CONTENT = Set.of("input", "output", "expected", "retrieval", "tool_calls", "tools", "comment");

  static Map<String, Object> prepare(Map<String, Object> event) {
    if ("internal".equals(event.get("feature"))) {
      return null; // is not published at all
    }
    if ("health".equals(event.get("feature"))) {
      event.keySet().removeAll(CONTENT);
      event.put("content_withheld", "health");
    }
    return event;
  }

  public static void main(String[] args) throws Exception {
    try (var evalworker = new Evalworker(new Evalworker.Options().prepare(Withhold::prepare))) {
      for (String feature : new String[] {"internal", "health", "support"}) {
        evalworker.begin("feature", feature, "input", "my question").run(() -> "the answer");
      }
    }
  }
}
