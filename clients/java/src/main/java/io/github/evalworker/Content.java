package io.github.evalworker;

import java.lang.reflect.Array;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Copies one event to maps, lists, texts, numbers and booleans, with base64 and bytes as their type, size and digest, and writes it as JSON. */
final class Content {
  private static final int MAX_DEPTH = 100;
  private static final int MAX_COPY = 4 << 20; // characters and values of one event that are looked at
  private static final Pattern DATA_URL = Pattern.compile("data:([\\w.+-]+/[\\w.+-]+)?(?:;[\\w.+=-]+){0,8};base64,([\\w+/=-]+)", Pattern.CASE_INSENSITIVE);
  private static final Pattern BASE64 = Pattern.compile("[\\w+/-]++={0,2}");
  private static final Pattern LONG_RUN = Pattern.compile("(?<![\\w+/-])[\\w+/-]{1024,}+={0,2}"); // longer than any word, path or digest
  private static final Set<String> DATA_NAMES = Set.of("data", "bytes", "b64_json", "file_data", "image", "audio", "video", "result");
  private final Map<Object, Object> above = new IdentityHashMap<>();
  private int room = MAX_COPY;

  Map<String, Object> map(Map<?, ?> from) {
    Map<String, Object> to = new LinkedHashMap<>();
    from.forEach((name, member) -> {
      if (member != null) {
        to.put(String.valueOf(name), value(member, String.valueOf(name)));
      }
    });
    return to;
  }

  /** Copies a value that has a name; one that cannot be read costs itself only. */
  Object value(Object value, String name) {
    try {
      return copy(value, name);
    } catch (TooLarge e) {
      throw e;
    } catch (RuntimeException e) {
      return "[unreadable]";
    }
  }

  private Object copy(Object value, String name) {
    spend(1);
    if (value == null || value instanceof Boolean) {
      return value;
    } else if (value instanceof Number) {
      return Double.isFinite(((Number) value).doubleValue()) || !(value instanceof Double || value instanceof Float) ? value : null;
    } else if (value instanceof byte[]) {
      return describe((byte[]) value, "");
    } else if (value instanceof Optional) {
      return copy(((Optional<?>) value).orElse(null), name);
    } else if (!(value instanceof Map || value instanceof Iterable || value.getClass().isArray())) {
      return text(String.valueOf(value), name);
    } else if (above.size() >= MAX_DEPTH || above.put(value, value) != null) {
      return "[circular]";
    }
    try {
      if (value instanceof Map) {
        return map((Map<?, ?>) value);
      }
      List<Object> list = new ArrayList<>();
      if (value instanceof Iterable) {
        ((Iterable<?>) value).forEach(item -> list.add(value(item, name)));
      } else {
        for (int i = 0; i < Array.getLength(value); i++) {
          list.add(value(Array.get(value, i), name));
        }
      }
      return list;
    } finally {
      above.remove(value);
    }
  }

  /** Returns a text with the base64 in it replaced by its type, size and digest. */
  private String text(String text, String name) {
    if (text.length() > 8 * MAX_COPY) {
      throw new TooLarge();
    }
    if (text.contains(";base64,")) {
      text = DATA_URL.matcher(text).replaceAll(found -> describe(decode(found.group(2)), Objects.requireNonNullElse(found.group(1), "")));
    }
    if (text.length() >= 128 && DATA_NAMES.contains(name) && BASE64.matcher(text).matches()) {
      text = describe(decode(text), "");
    }
    if (text.length() >= 1024) {
      text = LONG_RUN.matcher(text).replaceAll(found -> isMixed(found.group()) ? describe(decode(found.group()), "") : found.group());
    }
    spend(text.length());
    return text;
  }

  private void spend(int size) {
    room -= size;
    if (room < 0) {
      throw new TooLarge();
    }
  }

  private static boolean isMixed(String run) { // a ruled line or a number in hexadecimal is no data
    return run.chars().anyMatch(c -> c >= 'A' && c <= 'Z') && run.chars().anyMatch(c -> c >= 'a' && c <= 'z') && run.chars().anyMatch(c -> c >= '0' && c <= '9');
  }

  private static byte[] decode(String base64) {
    String text = base64.replace('-', '+').replace('_', '/').replaceAll("=+", "");
    return Base64.getDecoder().decode(text.length() % 4 == 1 ? text.substring(1) : text);
  }

  /** Returns the words that stand for bytes, such as "[image/png, 50 KB, sha256:...]". */
  private static String describe(byte[] data, String type) {
    String head = new String(data, 0, Math.min(data.length, 4), StandardCharsets.ISO_8859_1);
    if (type.isEmpty()) {
      type = head.equals("\u0089PNG") ? "image/png" : head.startsWith("\u00ff\u00d8") ? "image/jpeg" : head.equals("%PDF") ? "application/pdf" : "data";
    }
    long size = data.length;
    String printed = size < 1000 ? size + " B" : size < 1_000_000 ? (size + 500) / 1000 + " KB" : (size + 500_000) / 1_000_000 + " MB";
    return "[" + type + ", " + printed + ", sha256:" + sha256(data) + "]";
  }

  /** Says that an event is larger than it may be. */
  static final class TooLarge extends RuntimeException {
    private TooLarge() {
      super("too large", null, false, false);
    }
  }

  /** Returns a user's SHA-256, or HMAC-SHA-256 with the key EVALWORKER_USER_KEY, without which an e-mail address can be found by trying. */
  static String hashUser(String user) {
    String key = Objects.requireNonNullElse(System.getenv("EVALWORKER_USER_KEY"), "");
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

  private static void quote(StringBuilder out, String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < 0x20 || Character.isSurrogate(c)) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
