package dev.usherd.http;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds the one credential of a request. */
final class CredentialReader {

  private static final List<String> USUAL = List.of("authorization", "api-key", "x-api-key", "x-goog-api-key");
  private static final Set<String> SAFE = Set.of("GET", "HEAD", "OPTIONS");
  private static final Pattern SCHEME = Pattern.compile("(?:bearer|basic) +(.*)", Pattern.CASE_INSENSITIVE);
  private static final Credential NONE = new Credential("", "none");

  private final String header;
  private final Set<String> origins;

  /** `header`: in any case, or null. */
  CredentialReader(String header, Set<String> origins) {
    this.header = header == null ? null : header.toLowerCase(Locale.ROOT);
    this.origins = origins;
  }

  Credential read(String method, Headers headers) {
    if (header != null) {
      Credential configured = of(headers, header, true, "header");
      return configured == null ? NONE : configured;
    }
    Credential found = null;
    for (String each : USUAL) {
      Credential shown = of(headers, each, each.equals("authorization"), each);
      if (found != null && shown != null && !shown.token().equals(found.token())) {
        throw new RefusedException(Refusal.CREDENTIALS_AMBIGUOUS);
      }
      found = found == null ? shown : found;
    }
    return found == null ? cookie(method, headers) : found;
  }

  private Credential cookie(String method, Headers headers) {
    String token = SessionCookies.newest(headers.values("cookie"));
    if (token == null || token.isEmpty()) {
      return NONE;
    }
    // A browser sends its cookies with whatever a page of anybody makes it send, and opens websockets for it.
    if (!SAFE.contains(method) || isWebsocket(headers)) {
      List<String> origin = headers.values("origin");
      if (origin.size() != 1 || !origins.contains(origin.get(0))) {
        throw new RefusedException(Refusal.ORIGIN_NOT_ALLOWED);
      }
    }
    return new Credential(token, "cookie");
  }

  private static Credential of(Headers headers, String name, boolean hasScheme, String source) {
    String only = null;
    for (String each : headers.values(name)) {
      String value = trimmed(each);
      if (hasScheme) {
        Matcher scheme = SCHEME.matcher(value);
        value = scheme.matches() ? scheme.group(1) : value;
      }
      if (value.isEmpty()) {
        continue;
      }
      if (only != null && !only.equals(value)) {
        throw new RefusedException(Refusal.CREDENTIALS_AMBIGUOUS);
      }
      only = value;
    }
    return only == null ? null : new Credential(only, source);
  }

  /** Whether these are the headers of a websocket's handshake. */
  static boolean isWebsocket(Headers headers) {
    return headers.values("upgrade").stream()
        .flatMap(each -> Stream.of(each.split(",", -1)))
        .anyMatch(each -> trimmed(each).equalsIgnoreCase("websocket"));
  }

  /** The value without the white space that HTTP allows around it. */
  static String trimmed(String value) {
    int begin = 0;
    int end = value.length();
    while (begin < end && isSpace(value.charAt(begin))) {
      begin++;
    }
    while (begin < end && isSpace(value.charAt(end - 1))) {
      end--;
    }
    return value.substring(begin, end);
  }

  private static boolean isSpace(char each) {
    return each == ' ' || each == '\t';
  }
}
