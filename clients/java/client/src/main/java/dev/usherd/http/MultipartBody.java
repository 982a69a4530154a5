package dev.usherd.http;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads a form in parts. It takes the one plain form that clients send, and nothing out of any other, which two readers
 * could read in two ways.
 */
final class MultipartBody {

  private static final Pattern BOUNDARY =
      Pattern.compile("(?i)[ \\t]*boundary=(?:\"([0-9A-Za-z'()+_,./:=? -]{1,70})\"|([0-9A-Za-z'+_.-]{1,70}))[ \\t]*");
  private static final Pattern DISPOSITION =
      Pattern.compile("(?i)form-data((?:[ \\t]*;[ \\t]*[a-z]+\\*?=(?:\"[^\"\\\\]*\"|[^\\s\";]*))*)[ \\t]*;?[ \\t]*");
  private static final Pattern PARAMETER = Pattern.compile("(?i);[ \\t]*([a-z]+\\*?)=(?:\"([^\"]*)\"|([^\\s\";]*))");
  private static final Pattern PLAIN_TYPE =
      Pattern.compile("(?i)text/plain(?:[ \\t]*;[ \\t]*charset=\"?(?:utf-8|us-ascii)\"?)?[ \\t]*");
  private static final int MOST_PARTS = 1000;

  private final byte[] body;
  private final byte[] dashed;
  private final byte[] between;
  private final FormFields fields = new FormFields();
  private final List<FormPart> found = new ArrayList<>();

  /** Whether each field that a question is about is a text. */
  private boolean readable = true;

  private MultipartBody(byte[] body, String boundary) {
    this.body = body;
    this.dashed = ("--" + boundary).getBytes(StandardCharsets.ISO_8859_1);
    this.between = ("\r\n--" + boundary).getBytes(StandardCharsets.ISO_8859_1);
  }

  /** What it and the query say; nothing where that is not certain. */
  static BodyContent read(byte[] body, String contentType, byte[] query) {
    String boundary = boundary(contentType);
    if (boundary == null) {
      return BodyContent.NOTHING;
    }
    MultipartBody parts = new MultipartBody(body, boundary);
    return FormBody.into(parts.fields, query) && parts.isCertain() && parts.readable
        ? parts.fields.content()
        : BodyContent.NOTHING;
  }

  /** Its parts; empty where they are not certain. */
  static Optional<List<FormPart>> parts(byte[] body, String contentType) {
    String boundary = boundary(contentType);
    if (boundary == null) {
      return Optional.empty();
    }
    MultipartBody parts = new MultipartBody(body, boundary);
    return parts.isCertain() ? Optional.of(parts.found) : Optional.empty();
  }

  /** The one boundary that a type names; null: it names none, or more than one. */
  private static String boundary(String contentType) {
    String boundary = null;
    String[] parameters = contentType.split(";", -1);
    for (int each = 1; each < parameters.length; each++) {
      if (parameters[each].toLowerCase(Locale.ROOT).contains("boundary")) {
        Matcher found = BOUNDARY.matcher(parameters[each]);
        if (boundary != null || !found.matches()) {
          return null;
        }
        boundary = found.group(1) != null ? found.group(1) : found.group(2);
      }
    }
    return boundary;
  }

  /** Reads all parts. */
  private boolean isCertain() {
    // The first boundary begins the body, and so has no line end in front of it.
    int at = between.length - 2;
    if (!has(0, between, 2)) {
      return false;
    }
    for (int parts = 0; parts < MOST_PARTS; parts++) {
      if (isAt(at, "--")) {
        // Nothing but an end of line stands behind the last boundary.
        return at + 2 == body.length || (isAt(at + 2, "\r\n") && at + 4 == body.length);
      }
      if (!isAt(at, "\r\n")) {
        return false;
      }
      int head = at + 2;
      int next = find(between, at);
      // Some readers take a boundary behind a bare line feed for one.
      if (next < 0 || find(dashed, at) != next + 2) {
        return false;
      }
      int empty = find("\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1), at);
      if (empty < 0 || empty + 4 > next || !part(head, empty, empty + 4, next)) {
        return false;
      }
      at = next + between.length;
    }
    return false;
  }

  private boolean part(int head, int headEnd, int content, int end) {
    String name = null;
    String file = null;
    List<Map.Entry<String, String>> headers = new ArrayList<>();
    boolean plain = true;
    boolean placed = false;
    String lines = headEnd < head ? "" : new String(body, head, headEnd - head, StandardCharsets.ISO_8859_1);
    for (String line : lines.split("\r\n", -1)) {
      int colon = line.indexOf(':');
      if (colon <= 0 || line.indexOf('\n') >= 0 || line.indexOf('\r') >= 0) {
        return false;
      }
      String value = CredentialReader.trimmed(line.substring(colon + 1));
      String header = line.substring(0, colon).toLowerCase(Locale.ROOT);
      headers.add(Map.entry(header, value));
      switch (header) {
        case "content-disposition" -> {
          if (placed || !DISPOSITION.matcher(value).matches()) {
            return false;
          }
          placed = true;
          Matcher parameter = PARAMETER.matcher(value);
          while (parameter.find()) {
            String key = parameter.group(1).toLowerCase(Locale.ROOT);
            if (key.startsWith("filename")) {
              // An extended name is not read: it is a file all the same.
              file = key.equals("filename") && file == null ? latin(parameter) : file == null ? "" : file;
            }
            if (key.startsWith("name")) {
              if (name != null || !key.equals("name")) {
                return false;
              }
              byte[] bytes = latin(parameter).getBytes(StandardCharsets.ISO_8859_1);
              name = Texts.utf8(bytes, 0, bytes.length);
            }
          }
        }
        case "content-type" -> plain &= PLAIN_TYPE.matcher(value).matches();
        case "content-transfer-encoding" -> plain = false;
        default -> {}
      }
    }
    if (!placed || name == null) {
      return false;
    }
    found.add(new FormPart(body, content, end, name, file, headers));
    if (FormFields.NAMES.contains(Names.meant(name, FormFields.NAMES))) {
      // A file of such a name is no text, and neither is one that is encoded once more.
      String value = plain && file == null ? Texts.utf8(body, content, end) : null;
      if (value == null) {
        readable = false;
      } else {
        fields.add(name, value);
      }
    }
    return true;
  }

  private static String latin(Matcher parameter) {
    return parameter.group(2) != null ? parameter.group(2) : parameter.group(3);
  }

  private boolean isAt(int at, String what) {
    for (int each = 0; each < what.length(); each++) {
      if (at + each >= body.length || body[at + each] != what.charAt(each)) {
        return false;
      }
    }
    return true;
  }

  private boolean has(int at, byte[] what, int from) {
    if (at + what.length - from > body.length) {
      return false;
    }
    for (int each = from; each < what.length; each++) {
      if (body[at + each - from] != what[each]) {
        return false;
      }
    }
    return true;
  }

  private int find(byte[] what, int from) {
    for (int at = from; at + what.length <= body.length; at++) {
      if (body[at] == what[0] && has(at, what, 0)) {
        return at;
      }
    }
    return -1;
  }
}
