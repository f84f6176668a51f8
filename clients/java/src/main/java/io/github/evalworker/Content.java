package io.github.evalworker;

import java.lang.reflect.Array;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Copies one event to maps, lists, texts, numbers and booleans, with media replaced, and writes it as JSON. */
final class Content {
  private static final int MAX_DEPTH = 100;
  private static final int MAX_COPY = 4 << 20; // characters and values of one event that are looked at
  private static final String USER_KEY = Objects.requireNonNullElse(System.getenv("EVALWORKER_USER_KEY"), "");
  static final Set<String> LABELS = // what stays of an event whose content does not go out
      Set.of(("event request_id occurred_at session_id tenant_id tenant_tier user_id_hash trace_context trace_id span_id llmobs service environment version feature "
              + "prompt_name prompt_version prompt_variant prompt_environment provider model status error_type finish_reason retry_count cache_hit streaming "
              + "input_tokens output_tokens total_tokens estimated_cost_usd llm_latency_ms first_token_latency_ms output_schema "
              + "user_rating user_rating_min user_rating_max task_completed").split(" "));

  private final Map<Object, Object> above = new IdentityHashMap<>();
  private int room = MAX_COPY;

  Map<String, Object> map(Map<?, ?> from) {
    return map(from, "");
  }

  private Map<String, Object> map(Map<?, ?> from, String under) {
    Media.Holder holder = new Media.Holder(under, from);
    Map<String, Object> to = new LinkedHashMap<>();
    from.forEach((name, member) -> {
      if (member != null) {
        to.put(String.valueOf(name), value(member, String.valueOf(name), holder));
      }
    });
    return to;
  }

  /** Copies a value that stands under a name; one that cannot be read costs itself only. The holder, if there is one, says what it is. */
  Object value(Object value, String name, Media.Holder holder) {
    try {
      return copy(value, name, holder);
    } catch (TooLarge e) {
      throw e;
    } catch (RuntimeException e) {
      return "[unreadable]";
    }
  }

  private Object copy(Object value, String name, Media.Holder holder) {
    spend(1);
    if (value == null || value instanceof Boolean) {
      return value;
    } else if (value instanceof Number) {
      return Double.isFinite(((Number) value).doubleValue()) || !(value instanceof Double || value instanceof Float) ? value : null;
    } else if (value instanceof byte[]) {
      return Media.replace((byte[]) value, holder);
    } else if (value instanceof Optional) {
      return copy(((Optional<?>) value).orElse(null), name, holder);
    } else if (!(value instanceof Map || value instanceof Iterable || value.getClass().isArray())) {
      return text(String.valueOf(value), name, holder);
    } else if (above.size() >= MAX_DEPTH || above.put(value, value) != null) {
      return "[circular]";
    }
    try {
      if (value instanceof Map) {
        return map((Map<?, ?>) value, name);
      }
      Media.Holder array = new Media.Holder(name, Map.of());
      List<Object> list = new ArrayList<>();
      if (value instanceof Iterable) {
        ((Iterable<?>) value).forEach(item -> list.add(value(item, name, array)));
      } else {
        for (int i = 0; i < Array.getLength(value); i++) {
          list.add(value(Array.get(value, i), name, array));
        }
      }
      return list;
    } finally {
      above.remove(value);
    }
  }

  private String text(String text, String name, Media.Holder holder) {
    if (text.length() > 8 * MAX_COPY) {
      throw new TooLarge();
    }
    text = Media.replace(text, name, holder);
    spend(text.length());
    return text;
  }

  private void spend(int size) {
    room -= size;
    if (room < 0) {
      throw new TooLarge();
    }
  }

  /** Says that an event is larger than it may be. */
  static final class TooLarge extends RuntimeException {
    private TooLarge() {
      super("too large", null, false, false);
    }
  }

  /** Returns an event without its content, with content_withheld for the reason: only what is known to hold none stays. */
  static Map<String, Object> withheld(Map<String, ?> event, String why) {
    Map<String, Object> bare = new LinkedHashMap<>();
    for (Map.Entry<String, ?> field : event.entrySet()) {
      if (LABELS.contains(field.getKey()) && String.valueOf(field.getValue()).length() <= 1000) {
        bare.put(field.getKey(), new Content().value(field.getValue(), "", null));
      }
    }
    bare.put("content_withheld", why);
    return bare;
  }

  /** Returns fields from their names and values in turn, with short names in full and the user hashed. */
  static Map<String, Object> fields(Object... pairs) {
    if (pairs.length % 2 != 0) {
      throw new IllegalArgumentException("evalworker: fields are names and values in turn; the last name has no value");
    }
    Map<String, Object> out = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      String name = String.valueOf(pairs[i]);
      Object value = pairs[i + 1];
      if (value != null) {
        boolean user = name.equals("user");
        out.put(user ? "user_id_hash" : name.equals("session") || name.equals("tenant") ? name + "_id" : name, user ? hashUser(value.toString(), USER_KEY) : value);
      }
    }
    return out;
  }

  /** Returns the class of an error; its text may hold content. */
  static String errorType(Throwable error) {
    Throwable cause = (error instanceof CompletionException || error instanceof ExecutionException) && error.getCause() != null ? error.getCause() : error;
    String name = cause.getClass().getSimpleName();
    return name.contains("Timeout") ? "timeout" : name.contains("Cancel") || name.contains("Interrupted") ? "cancelled" : name;
  }

  /** Returns a user's SHA-256, or HMAC-SHA-256 with a key, without which an e-mail address can be found by trying; null for an empty id. */
  static String hashUser(String user, String key) {
    if (user.isEmpty()) {
      return null;
    }
    byte[] text = user.getBytes(StandardCharsets.UTF_8);
    try {
      if (key.isEmpty()) {
        return sha256(text);
      }
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
      return hex(mac.doFinal(text));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has HmacSHA256", e);
    }
  }

  static String sha256(byte[] data) {
    try {
      return hex(MessageDigest.getInstance("SHA-256").digest(data));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  static String hex(byte[] data) {
    StringBuilder out = new StringBuilder();
    for (byte b : data) {
      out.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
    }
    return out.toString();
  }

  /** Returns a copy as a line of JSON, without its end. */
  static byte[] write(Map<String, Object> event) {
    StringBuilder out = new StringBuilder();
    write(out, event);
    return out.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void write(StringBuilder out, Object value) {
    char before = value instanceof Map ? '{' : '[';
    if (value instanceof Map) {
      for (Map.Entry<?, ?> member : ((Map<?, ?>) value).entrySet()) {
        quote(out.append(before), (String) member.getKey());
        write(out.append(':'), member.getValue());
        before = ',';
      }
      out.append(before == '{' ? "{}" : "}");
    } else if (value instanceof List) {
      for (Object item : (List<?>) value) {
        write(out.append(before), item);
        before = ',';
      }
      out.append(before == '[' ? "[]" : "]");
    } else if (value instanceof String) {
      quote(out, (String) value);
    } else {
      out.append(value); // a number, a boolean or null
    }
  }

  static void quote(StringBuilder out, String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c == '\n') {
        out.append("\\n");
      } else if (c < 0x20 || Character.isSurrogate(c)) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
