package dev.usherd.servlet;

import dev.usherd.http.FormPart;
import dev.usherd.http.Refusal;
import dev.usherd.http.RefusedException;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.Part;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A request whose body was read, and is given to the application again. */
final class ReplayedRequest extends HttpServletRequestWrapper {

  private static final int MOST_FIELDS = 10_000;

  private final byte[] body;
  private Map<String, String[]> parameters;
  private List<Part> parts;

  ReplayedRequest(HttpServletRequest request, byte[] body) {
    super(request);
    this.body = body;
  }

  /** The whole body. Throws RefusedException for one that is too large, as soon as that is known. */
  static byte[] read(HttpServletRequest request, int most) throws IOException {
    if (request.getContentLengthLong() > most) {
      throw new RefusedException(Refusal.BODY_TOO_LARGE);
    }
    InputStream in = request.getInputStream();
    byte[] body = in.readNBytes(most);
    if (body.length == most && in.read() >= 0) {
      throw new RefusedException(Refusal.BODY_TOO_LARGE);
    }
    return body;
  }

  @Override
  public ServletInputStream getInputStream() {
    return new Replayed(body);
  }

  @Override
  public BufferedReader getReader() throws IOException {
    String named = getCharacterEncoding();
    return new BufferedReader(
        new InputStreamReader(
            new ByteArrayInputStream(body), named == null ? StandardCharsets.ISO_8859_1.name() : named));
  }

  @Override
  public String getParameter(String name) {
    String[] values = getParameterMap().get(name);
    return values == null ? null : values[0];
  }

  @Override
  public String[] getParameterValues(String name) {
    return getParameterMap().get(name);
  }

  @Override
  public Enumeration<String> getParameterNames() {
    return Collections.enumeration(getParameterMap().keySet());
  }

  @Override
  public Map<String, String[]> getParameterMap() {
    if (parameters == null) {
      Map<String, List<String>> found = new LinkedHashMap<>();
      add(found, getQueryString());
      if (isOf("application/x-www-form-urlencoded")) {
        // As the question was read: what is not escaped is UTF-8.
        add(found, new String(body, StandardCharsets.UTF_8));
      } else if (isOf("multipart/form-data")) {
        for (FormPart each : FormPart.all(body, getContentType()).orElse(List.of())) {
          if (each.fileName() == null) {
            add(found, each.name(), each.text());
          }
        }
      }
      Map<String, String[]> all = new LinkedHashMap<>();
      found.forEach((name, values) -> all.put(name, values.toArray(new String[0])));
      parameters = Collections.unmodifiableMap(all);
    }
    return parameters;
  }

  @Override
  public Collection<Part> getParts() throws ServletException {
    if (!isOf("multipart/form-data")) {
      throw new ServletException("expected multipart/form-data");
    }
    if (parts == null) {
      parts =
          FormPart.all(body, getContentType())
              .orElseThrow(() -> new ServletException("the form in parts cannot be read with certainty"))
              .stream()
              .<Part>map(ReplayedPart::new)
              .toList();
    }
    return parts;
  }

  @Override
  public Part getPart(String name) throws ServletException {
    return getParts().stream().filter(each -> each.getName().equals(name)).findFirst().orElse(null);
  }

  private boolean isOf(String type) {
    String own = getContentType();
    return own != null && own.trim().toLowerCase(Locale.ROOT).startsWith(type);
  }

  private static void add(Map<String, List<String>> found, String line) {
    if (line == null || line.isEmpty()) {
      return;
    }
    String[] pairs = line.split("&", MOST_FIELDS + 1);
    if (pairs.length > MOST_FIELDS) {
      throw new IllegalStateException("too many fields");
    }
    for (String each : pairs) {
      int equals = each.indexOf('=');
      try {
        String name = URLDecoder.decode(equals < 0 ? each : each.substring(0, equals), StandardCharsets.UTF_8);
        add(found, name, equals < 0 ? "" : URLDecoder.decode(each.substring(equals + 1), StandardCharsets.UTF_8));
      } catch (IllegalArgumentException malformed) {
        // As containers do, it is passed over.
      }
    }
  }

  private static void add(Map<String, List<String>> found, String name, String value) {
    found.computeIfAbsent(name, unused -> new ArrayList<>()).add(value);
  }

  private static final class Replayed extends ServletInputStream {
    private final ByteArrayInputStream in;

    Replayed(byte[] body) {
      in = new ByteArrayInputStream(body);
    }

    @Override
    public int read() {
      return in.read();
    }

    @Override
    public int read(byte[] bytes, int begin, int length) {
      return in.read(bytes, begin, length);
    }

    @Override
    public int available() {
      return in.available();
    }

    @Override
    public boolean isFinished() {
      return in.available() == 0;
    }

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setReadListener(ReadListener listener) {
      try {
        if (!isFinished()) {
          listener.onDataAvailable();
        }
        listener.onAllDataRead();
      } catch (IOException failed) {
        listener.onError(failed);
      }
    }
  }
}
