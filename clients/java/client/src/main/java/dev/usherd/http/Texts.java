package dev.usherd.http;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads bytes as text, or not at all. */
final class Texts {

  private Texts() {}

  /** The text; null for bytes that are no UTF-8. */
  static String utf8(byte[] bytes, int begin, int end) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, begin, end - begin)).toString();
    } catch (CharacterCodingException none) {
      return null;
    }
  }
}
