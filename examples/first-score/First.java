import io.github.evalworker.Evalworker;
import java.time.Duration;
import java.util.Map;

/** Publishes two answers of a model. The map stands in for your model. */
public class First {
  static final Map<String, String> ANSWERS =
      Map.of(
          "Where is my parcel?",
          "{\"answer\": \"It arrives today.\", \"category\": \"shipping\", \"confidence\": 0.9, \"citations\": [], \"needs_human\": false}",
          "May I send it back?",
          "Yes, within 30 days."); // not the JSON that was asked for

  public static void main(String[] args) throws Exception {
    try (var evalworker = new Evalworker()) {
      for (var each : ANSWERS.entrySet()) {
        var call = evalworker.begin("prompt_name", "first_java", "prompt_version", "v1", "input", each.getKey());
        call.run(() -> each.getValue());
      }
      evalworker.flush(Duration.ofSeconds(5));
      System.out.println("accepted: " + evalworker.stats().get("accepted"));
    }
  }
}
