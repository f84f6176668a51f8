import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.ObjectMappers;
import com.openai.errors.BadRequestException;
import com.openai.errors.OpenAIIoException;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import io.github.evalworker.Evalworker; // publishing
import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** OpenAI's library for Java, in threads. */
public class Program {
  static final OpenAIClient client = OpenAIOkHttpClient.builder().baseUrl(System.getenv("MODEL_URL") + "/v1").apiKey("none").build();
  static final OpenAIClient impatient = client.withOptions(options -> options.maxRetries(0).timeout(Duration.ofMillis(100)));
  static final Evalworker evalworker = new Evalworker(); // publishing

  public static void main(String[] args) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    List<Future<?>> all = new ArrayList<>();
    for (JsonNode job : new ObjectMapper().readTree(new File(System.getenv("JOBS")))) {
      all.add(pool.submit(() -> {
        serve(job.get("kind").asText(), job.get("question").asText(), job.get("traceparent").asText());
        return null;
      }));
    }
    for (Future<?> one : all) {
      one.get(); // what a request throws and is not meant to ends the program
    }
    pool.shutdown();
    evalworker.close(); // publishing
    System.exit(0); // the library's threads live on for a minute
  }

  static void serve(String kind, String question, String traceparent) throws Exception {
    var call = evalworker.begin("feature", "parcels", "prompt_name", System.getenv("PROGRAM"), "prompt_version", "v1", "user", System.getenv("USER_ID"), "input", question, "trace_context", Map.of("traceparent", traceparent)); // publishing
    try {
      call.run(() -> ask(kind, question)); // publishing
    } catch (BadRequestException e) {
      if (!kind.equals("error")) {
        throw e;
      }
    } catch (OpenAIIoException e) {
      if (!kind.equals("cancel")) {
        throw e;
      }
    }
  }

  /** Returns the answer as JSON. */
  static String ask(String kind, String question) throws Exception {
    var chat = ChatCompletionCreateParams.builder().model("small").addUserMessage(question);
    if (kind.endsWith("tools")) {
      var parameters = FunctionParameters.builder().putAdditionalProperty("type", JsonValue.from("object")).build();
      chat.addFunctionTool(FunctionDefinition.builder().name("lookup").parameters(parameters).build());
    }
    if (kind.startsWith("stream")) {
      var whole = ChatCompletionAccumulator.create();
      try (var stream = client.chat().completions().createStreaming(chat.build())) {
        stream.stream().forEach(whole::accumulate);
      }
      return ObjectMappers.jsonMapper().writeValueAsString(whole.chatCompletion());
    }
    var answer = (kind.equals("cancel") ? impatient : client).chat().completions().create(chat.build());
    return ObjectMappers.jsonMapper().writeValueAsString(answer);
  }
}
