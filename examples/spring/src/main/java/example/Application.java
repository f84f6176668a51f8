package example;

import io.github.evalworker.Evalworker;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;

@SpringBootApplication
public class Application {
  public static void main(String[] args) {
    SpringApplication.run(Application.class, args);
  }

  /** One for the application. Spring calls close after the last request: it sends what waits. */
  @Bean(destroyMethod = "close")
  Evalworker evalworker() {
    return new Evalworker();
  }
}
