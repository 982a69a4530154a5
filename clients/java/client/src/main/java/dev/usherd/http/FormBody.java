package dev.usherd.http;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** Reads the field "model" of a form that came as one line. */
final class FormBody {

  private FormBody() {}

  /** The model, named once; null where that is not certain. */
  static String model(byte[] body) {
    String model = null;
    String line = new String(body, StandardCharsets.ISO_8859_1);
    for (String each : line.split("&", -1)) {
      int equals = each.indexOf('=');
      String name = decoded(equals < 0 ? each : each.substring(0, equals));
      String value = decoded(equals < 0 ? "" : each.substring(equals + 1));
      if (name == null || value == null) {
        return null;
      }
      if (name.equals("model")) {
        if (model != null) {
          return null;
        }
        model = value;
      }
    }
    return model;
  }

  /** The text; null for escapes that are none, or bytes that are no UTF-8. */
  private static String decoded(String part) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(part.length());
    for (int at = 0; at < part.length(); at++) {
      char each = part.charAt(at);
      if (each == '%') {
        int high = at + 2 <= part.length() - 1 ? Character.digit(part.charAt(at + 1), 16) : -1;
        int low = at + 2 <= part.length() - 1 ? Character.digit(part.charAt(at + 2), 16) : -1;
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
