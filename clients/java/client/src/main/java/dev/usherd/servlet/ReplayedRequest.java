package dev.usherd.servlet;

import dev.usherd.http.Refusal;
import dev.usherd.http.RefusedException;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URLDecoder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A request whose body was read, and is given to the application again. */
final class ReplayedRequest extends HttpServletRequestWrapper {

  private final byte[] body;
  private Map<String, String[]> parameters;

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
            new ByteArrayInputStream(body), named == null ? StandardCharsets.ISO_8859_1 : Charset.forName(named)));
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
      String type = getContentType();
      if (type != null && type.toLowerCase(Locale.ROOT).startsWith("application/x-www-form-urlencoded")) {
        add(found, new String(body, StandardCharsets.ISO_8859_1));
      }
      Map<String, String[]> all = new LinkedHashMap<>();
      found.forEach((name, values) -> all.put(name, values.toArray(new String[0])));
      parameters = Collections.unmodifiableMap(all);
    }
    return parameters;
  }

  private static void add(Map<String, List<String>> found, String line) {
    if (line == null || line.isEmpty()) {
      return;
    }
    for (String each : line.split("&")) {
      int equals = each.indexOf('=');
      try {
        String name = URLDecoder.decode(equals < 0 ? each : each.substring(0, equals), StandardCharsets.UTF_8);
        String value = equals < 0 ? "" : URLDecoder.decode(each.substring(equals + 1), StandardCharsets.UTF_8);
        found.computeIfAbsent(name, unused -> new ArrayList<>()).add(value);
      } catch (IllegalArgumentException malformed) {
        // As containers do, it is passed over.
      }
    }
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
