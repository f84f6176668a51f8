package io.github.evalworker;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON as maps, lists, texts and whole numbers; all else is null. */
final class Json {
  private static final int MAX_DEPTH = 100;
  private static final int LONG = 128; // characters of a text that may hold media
  final List<int[]> longTexts = new ArrayList<>(); // where such texts begin and end
  private final String from;
  private int at;
  private int depth;

  Json(String from) {
    this.from = from;
  }

  /** Says that a text is no JSON. */
  static final class Broken extends RuntimeException {
    private Broken() {
      super("no JSON", null, false, false);
    }
  }

  /** Reports whether the text begins as an object or an array does. */
  boolean begins() {
    return next() == '{' || next() == '[';
  }

  Object whole() {
    Object value = value();
    if (next() != 0) {
      throw new Broken();
    }
    return value;
  }

  /** Returns the next character that is no space; 0 at the end. */
  private char next() {
    while (at < from.length() && " \t\r\n".indexOf(from.charAt(at)) >= 0) {
      at++;
    }
    return at < from.length() ? from.charAt(at) : 0;
  }

  private void take(char c) {
    if (next() != c) {
      throw new Broken();
    }
    at++;
  }

  private Object value() {
    char first = next();
    if (first == '"') {
      int start = at;
      String text = text();
      if (text.length() >= LONG) {
        longTexts.add(new int[] {start, at});
      }
      return text;
    } else if (first != '{' && first != '[') {
      return word();
    }
    char end = first == '{' ? '}' : ']';
    Map<String, Object> members = new LinkedHashMap<>();
    List<Object> items = new ArrayList<>();
    at++;
    if (++depth > MAX_DEPTH) {
      throw new Broken();
    }
    while (next() != end) {
      if (!members.isEmpty() || !items.isEmpty()) {
        take(',');
      }
      if (first == '[') {
        items.add(value());
      } else if (next() == '"') {
        String name = text();
        take(':');
        members.put(name, value());
      } else {
        throw new Broken();
      }
    }
    at++;
    depth--;
    return first == '{' ? members : items;
  }

  /** Reads a number, true, false or null. */
  private Long word() {
    int start = at;
    while (at < from.length() && ("+-.".indexOf(from.charAt(at)) >= 0 || Character.isLetterOrDigit(from.charAt(at)))) {
      at++;
    }
    if (at == start) {
      throw new Broken();
    }
    try {
      return Long.valueOf(from.substring(start, at));
    } catch (NumberFormatException e) {
      return null;
    }
  }

  String text() {
    StringBuilder out = new StringBuilder();
    for (at++; at < from.length(); at++) {
      char c = from.charAt(at);
      if (c == '"') {
        at++;
        return out.toString();
      }
      if (c == '\\' && ++at < from.length()) {
        c = escaped();
      }
      out.append(c);
    }
    throw new Broken();
  }

  private char escaped() {
    char c = from.charAt(at);
    int plain = "\"\\/bfnrt".indexOf(c);
    if (plain >= 0) {
      return "\"\\/\b\f\n\r\t".charAt(plain);
    }
    try {
      at += 4;
      return (char) Integer.parseInt(from.substring(at - 3, at + 1), 16);
    } catch (IndexOutOfBoundsException | NumberFormatException e) {
      throw new Broken();
    }
  }
}
