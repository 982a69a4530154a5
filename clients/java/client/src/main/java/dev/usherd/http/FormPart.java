package dev.usherd.http;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One part of a form in parts, read as {@link RequestReader} reads it: what it asked about is what is found here. */
public final class FormPart {

  private final byte[] body;
  private final int begin;
  private final int end;
  private final String name;
  private final String fileName;
  private final List<Map.Entry<String, String>> headers;

  FormPart(
      byte[] body, int begin, int end, String name, String fileName, List<Map.Entry<String, String>> headers) {
    this.body = body;
    this.begin = begin;
    this.end = end;
    this.name = name;
    this.fileName = fileName;
    this.headers = List.copyOf(headers);
  }

  /**
   * All parts of a form.
   *
   * @param body the body, which is not copied
   * @param contentType its type, with the boundary
   * @return the parts, at most 1,000; empty: it is none that can be read with certainty
   */
  public static Optional<List<FormPart>> all(byte[] body, String contentType) {
    return MultipartBody.parts(body, contentType);
  }

  /**
   * What it is called.
   *
   * @return its name
   */
  public String name() {
    return name;
  }

  /**
   * What its file was called by whoever sent it.
   *
   * @return a name that must not be used as a path; null: it is no file
   */
  public String fileName() {
    return fileName;
  }

  /**
   * Its headers.
   *
   * @return their names in lower case, and their values
   */
  public List<Map.Entry<String, String>> headers() {
    return headers;
  }

  /**
   * How much it has.
   *
   * @return bytes
   */
  public int size() {
    return end - begin;
  }

  /**
   * What it has.
   *
   * @return its bytes
   */
  public InputStream content() {
    return new ByteArrayInputStream(body, begin, end - begin);
  }

  /**
   * What it has, as UTF-8.
   *
   * @return a text
   */
  public String text() {
    return new String(body, begin, end - begin, StandardCharsets.UTF_8);
  }

  /**
   * A constant: what is sent is nobody's to read in a log.
   *
   * @return the same for every part
   */
  @Override
  public String toString() {
    return "FormPart";
  }
}
