package io.github.evalworker;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * What feedback repeats of the last 1,000 requests, so that it counts for the prompt also when the worker reads it before the
 * request, or never sees that.
 */
final class Remembered {
  private static final List<String> NAMES =
      List.of("prompt_name", "prompt_version", "feature", "session_id", "tenant_id", "user_id_hash", "environment", "service", "trace_context");
  private static final int MOST_REQUESTS = 1000;
  private static final int LONGEST_TEXT = 512; // characters; a longer one is not kept
  private static final int MOST_HEADERS = 20;

  private final Map<String, Map<String, Object>> requests = new LinkedHashMap<>(); // by their ids; guarded by this

  /** Keeps what is known of a request that is published. */
  void add(Map<String, Object> event) {
    Map<String, Object> known = new LinkedHashMap<>();
    for (String name : NAMES) {
      Object value = event.get(name);
      boolean isHeaders = value instanceof Map && ((Map<?, ?>) value).size() <= MOST_HEADERS;
      if (isHeaders || value instanceof Number || value instanceof UUID || value instanceof String && ((String) value).length() <= LONGEST_TEXT) {
        known.put(name, value);
      }
    }
    String id = String.valueOf(event.get("request_id"));
    synchronized (this) {
      requests.remove(id);
      requests.put(id, known);
      if (requests.size() > MOST_REQUESTS) {
        requests.remove(requests.keySet().iterator().next());
      }
    }
  }

  /** Returns fields of feedback on a request, and what they do not say of it. */
  synchronized Map<String, Object> with(String requestId, Map<String, Object> fields) {
    Map<String, Object> all = new LinkedHashMap<>(requests.getOrDefault(requestId, Map.of()));
    all.putAll(fields);
    return all;
  }
}
