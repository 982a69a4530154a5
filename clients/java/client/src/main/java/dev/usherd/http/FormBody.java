package dev.usherd.http;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** Reads a form that came as one line. */
final class FormBody {

  private FormBody() {}

  private static final int MOST_FIELDS = 10_000;

  /** What it and the query say; nothing for escapes that are none, and bytes that are no UTF-8. */
  static BodyContent read(byte[] body, byte[] query) {
    FormFields fields = new FormFields();
    return into(fields, query) && into(fields, body) ? fields.content() : BodyContent.NOTHING;
  }

  /** Adds the fields of a line; false: it cannot be read. */
  static boolean into(FormFields fields, byte[] body) {
    String line = new String(body, StandardCharsets.ISO_8859_1);
    String[] pairs = line.split("&", MOST_FIELDS + 1);
    if (pairs.length > MOST_FIELDS) {
      return false;
    }
    for (String each : pairs) {
      int equals = each.indexOf('=');
      String name = decoded(equals < 0 ? each : each.substring(0, equals));
      String value = decoded(equals < 0 ? "" : each.substring(equals + 1));
      if (name == null || value == null) {
        return false;
      }
      fields.add(name, value);
    }
    return true;
  }

  /** The text; null for escapes that are none, or bytes that are no UTF-8. */
  private static String decoded(String part) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(part.length());
    for (int at = 0; at < part.length(); at++) {
      char each = part.charAt(at);
      if (each == '%') {
        int high = at + 2 < part.length() ? Character.digit(part.charAt(at + 1), 16) : -1;
        int low = at + 2 < part.length() ? Character.digit(part.charAt(at + 2), 16) : -1;
        if (high < 0 || low < 0) {
          return null;
        }
        bytes.write(high * 16 + low);
        at += 2;
      } else {
        bytes.write(each == '+' ? ' ' : each);
      }
    }
    return Texts.utf8(bytes.toByteArray(), 0, bytes.size());
  }
}
