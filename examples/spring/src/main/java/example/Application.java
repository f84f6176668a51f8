package example;

import io.github.evalworker.Evalworker;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletRequest;
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

  @Bean
  Filter evalworkerScope(Evalworker evalworker) {
    return (request, response, chain) -> {
      var http = (HttpServletRequest) request;
      try (var scope = evalworker.scope("session", http.getHeader("x-session"), "user", http.getHeader("x-user"))) {
        chain.doFilter(request, response);
      }
    };
  }
}
