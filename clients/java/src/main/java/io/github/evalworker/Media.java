package io.github.evalworker;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Replaces pictures, sounds, videos and files by a data URL without its data, with their type, size and digest, as every other
 * publisher of evalworker does: readers still see a picture, with the size that it had. The table clients/testdata/media.json
 * holds the rules; the tests of all languages read it.
 */
final class Media {
  private static final int SHORTEST = 256; // characters of base64, as JSON has it, from which it is replaced
  private static final int LONGEST_TYPE = 256; // characters before the mark of a data URL
  private static final int MAX_TEXTS = 3; // how often JSON may stand in a string of JSON
  private static final String MARK = ";base64,";

  // Names of members, in lower case and without _ and -.
  private static final Set<String> ALWAYS = Set.of("images", "b64json", "imagebytes", "bytesbase64encoded"); // tell by themselves that it is a picture
  private static final Set<String> DATA =
      Set.of("data", "bytes", "base64", "filedata", "image", "imageurl", "inputaudio", "audio", "video", "videourl", "file", "url", "uri", "fileuri");
  private static final Set<String> HOLDERS =
      Set.of("source", "inlinedata", "inputaudio", "audio", "video", "videourl", "file", "filedata", "image", "imageurl", "document");
  private static final Set<String> MEDIA_TYPES = Set.of("mediatype", "mimetype");
  private static final Set<String> KINDS = Set.of("type", "$type", "blocktype", "partkind");
  // Types of parts.
  private static final Set<String> PICTURES = Set.of("image", "image_url", "input_image", "output_image", "image_file", "image_generation_call");
  private static final Set<String> PARTS =
      Set.of(("audio input_audio output_audio audio_url video video_url input_video file input_file document media blob container_upload document_url").split(" "));

  private Media() {}

  /** What an object or array says about what it holds. */
  static final class Holder {
    private String type = "";
    private boolean picture;
    private boolean media;

    /** Is the holder that stands under a name; an array has no members. */
    Holder(String under, Map<?, ?> members) {
      String kind = "";
      for (Map.Entry<?, ?> member : members.entrySet()) {
        if (member.getValue() instanceof String && ((String) member.getValue()).length() < SHORTEST - 2) {
          String name = fold(String.valueOf(member.getKey()));
          if (MEDIA_TYPES.contains(name)) {
            type = (String) member.getValue();
          } else if (KINDS.contains(name)) {
            kind = ((String) member.getValue()).toLowerCase(Locale.ROOT).replace('-', '_');
          }
        }
      }
      String name = fold(under);
      picture = PICTURES.contains(kind);
      media = picture || PARTS.contains(kind) || !type.isEmpty() || HOLDERS.contains(name) || ALWAYS.contains(name);
    }
  }

  /** Returns a text with the media in it replaced; name and holder, which may be null, say where it stands. */
  static String replace(String text, String name, Holder holder) {
    return replace(text, name, holder, MAX_TEXTS);
  }

  private static String replace(String text, String name, Holder holder, int texts) {
    if (!mayHoldMedia(text)) {
      return text;
    }
    String changed = inJson(text, texts);
    if (changed.equals(text)) {
      changed = urls(text);
    }
    if (!changed.equals(text) || holder == null || written(text) < SHORTEST || afterBreaks(text, end(text, 0)) < text.length()) {
      return changed;
    }
    String key = fold(name);
    if (ALWAYS.contains(key)) {
      return describe(text, "");
    }
    return (key.equals("result") ? holder.picture : holder.media && DATA.contains(key)) ? describe(text, holder.type) : text;
  }

  /** Returns what stands for bytes; short ones are base64. */
  static String replace(byte[] data, Holder holder) {
    if (data.length < SHORTEST / 4 * 3) {
      return Base64.getEncoder().encodeToString(data);
    }
    return describe(holder == null ? "" : holder.type, data.length, Content.sha256(data));
  }

  private static String fold(String name) {
    return name.replace("_", "").replace("-", "").toLowerCase(Locale.ROOT);
  }

  /** Returns how long base64 is in JSON, which writes a line break in two characters. */
  private static int written(String text) {
    return text.length() + (int) text.chars().filter(Media::isBreak).count();
  }

  private static boolean isBreak(int c) {
    return c == '\n' || c == '\r';
  }

  private static boolean isData(int c) {
    return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_';
  }

  /** Looks for a run of base64 at a few of the characters: such a run has one in each window of its length. */
  private static boolean mayHoldMedia(String text) {
    int window = SHORTEST / 2; // line breaks count twice
    for (int end = window; end <= text.length(); ) {
      int i = end - 1;
      while (i >= end - window && (isData(text.charAt(i)) || text.charAt(i) == '=' || text.charAt(i) == '\\' || isBreak(text.charAt(i)))) { // \ begins an escape of JSON
        i--;
      }
      if (i < end - window) {
        return true;
      }
      end = i + 1 + window;
    }
    return false;
  }

  /**
   * Returns the end of the base64 that begins at a place. A line break is part of it after a line as long as the first one; behind
   * a shorter line, and behind the padding, other text begins.
   */
  private static int end(String text, int at) {
    at = afterBreaks(text, at);
    int end = afterData(text, at);
    int first = end - at;
    while (first >= 60 && first <= 100 && end < text.length() && isBreak(text.charAt(end))) { // MIME and PEM break lines so, with room for others
      at = afterBreaks(text, end);
      end = afterData(text, at);
      if (end - at != first) {
        break;
      }
    }
    while (end < text.length() && text.charAt(end) == '=') {
      end++;
    }
    return end;
  }

  private static int afterBreaks(String text, int at) {
    while (at < text.length() && isBreak(text.charAt(at))) {
      at++;
    }
    return at;
  }

  private static int afterData(String text, int at) {
    while (at < text.length() && isData(text.charAt(at))) {
      at++;
    }
    return at;
  }

  /** Replaces the data URLs in a text. */
  private static String urls(String text) {
    StringBuilder out = new StringBuilder();
    int kept = 0; // of the text in out
    for (int at = 0, mark; (mark = text.indexOf(MARK, at)) >= 0; ) {
      int from = Math.max(at, mark - LONGEST_TYPE);
      int scheme = text.substring(from, mark).lastIndexOf("data:");
      int data = mark + MARK.length();
      at = end(text, data);
      if (scheme >= 0 && written(text.substring(data, at)) >= SHORTEST) {
        out.append(text, kept, from + scheme).append(describe(text.substring(data, at), text.substring(from + scheme + "data:".length(), mark)));
        kept = at;
      }
    }
    return out.append(text, kept, text.length()).toString();
  }

  /** Returns what stands for base64, without a digest when it is broken. */
  private static String describe(String text, String type) {
    text = text.replace("\r", "").replace("\n", "");
    int length = text.length();
    while (length > 0 && text.charAt(length - 1) == '=') {
      length--;
    }
    text = text.substring(0, length);
    boolean url = text.indexOf('-') >= 0 || text.indexOf('_') >= 0;
    if (length % 4 == 1 || url && (text.indexOf('+') >= 0 || text.indexOf('/') >= 0)) {
      return describe(type, length / 4 * 3, "");
    }
    byte[] data = (url ? Base64.getUrlDecoder() : Base64.getDecoder()).decode(text.getBytes(StandardCharsets.US_ASCII));
    return describe(type, data.length, Content.sha256(data));
  }

  private static String describe(String type, int size, String digest) {
    String bare = type.split(";", 2)[0]; // parameters may name the file
    boolean known = bare.length() <= LONGEST_TYPE / 2 && bare.chars().allMatch(c -> c != '_' && c != '+' && isData(c) || c == '+' || c == '.');
    return "data:" + (known ? bare : "") + ";size=" + size + (digest.isEmpty() ? "" : ";sha256=" + digest) + MARK;
  }

  // ---- JSON in a text

  /** Replaces media in the JSON that a text holds, such as an answer. All else of it stays as it is. */
  private static String inJson(String text, int texts) {
    Json json = new Json(text);
    if (texts == 0 || !json.begins()) {
      return text;
    }
    Map<String, String> changes = new HashMap<>();
    try {
      walk(json.whole(), "", null, texts - 1, changes);
    } catch (Json.Broken e) {
      return text;
    }
    StringBuilder out = new StringBuilder();
    int kept = 0;
    for (int[] token : changes.isEmpty() ? List.<int[]>of() : json.longTexts) {
      String changed = changes.get(new Json(text.substring(token[0], token[1])).text());
      if (changed != null) {
        Content.quote(out.append(text, kept, token[0]), changed);
        kept = token[1];
      }
    }
    return out.append(text, kept, text.length()).toString();
  }

  /** Adds the texts of a value in which media are replaced, with what they become, to changes. */
  private static void walk(Object value, String name, Holder holder, int texts, Map<String, String> changes) {
    if (value instanceof String) {
      String text = replace((String) value, name, holder, texts);
      if (!text.equals(value)) {
        changes.put((String) value, text);
      }
    } else if (value instanceof List) {
      Holder inner = new Holder(name, Map.of());
      ((List<?>) value).forEach(item -> walk(item, name, inner, texts, changes));
    } else if (value instanceof Map) {
      Holder inner = new Holder(name, (Map<?, ?>) value);
      ((Map<?, ?>) value).forEach((member, inside) -> walk(inside, (String) member, inner, texts, changes));
    }
  }
}
