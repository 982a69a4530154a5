package dev.usherd.http;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Reads, sets and clears the cookies that carry sessions of a gateway's user interface. */
public final class SessionCookies {

  private static final String PREFIX = "litellm_ui_token_";
  private static final String ATTRIBUTES = "; Secure; HttpOnly; SameSite=Strict";
  private static final Pattern NUMBER = Pattern.compile("[0-9]{1,20}");
  private static final Pattern NAME = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");
  private static final Pattern TOKEN = Pattern.compile("[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+");
  private static final Pattern LOCATION = Pattern.compile("/(?!/)[!-\\[\\]-~]*");

  /** What browsers keep: a larger one is dropped without a word, and the user asked to log in for ever. */
  private static final int MOST_COOKIE = 4096;

  private static final int MOST_CLEARED = 100;

  private SessionCookies() {}

  /**
   * The answer that sets a session's cookie, and sends the browser on.
   *
   * @param token the session's token
   * @param now the time, which is the cookie's number
   * @param location a path of this site
   * @return the answer
   * @throws IllegalArgumentException for a token that is no compact JWS or too large, or a location that is on another site
   */
  public static HttpAnswer set(String token, Instant now, String location) {
    if (!TOKEN.matcher(token).matches()) {
      throw new IllegalArgumentException("token: expected a compact JWS");
    }
    if (!LOCATION.matcher(location).matches()) {
      throw new IllegalArgumentException("location: expected a path of this site");
    }
    String name = PREFIX + now.getEpochSecond();
    if (name.length() + token.length() > MOST_COOKIE) {
      throw new IllegalArgumentException("token: larger than what browsers keep in a cookie");
    }
    String cookie = name + "=" + token + "; Path=/" + ATTRIBUTES;
    return new HttpAnswer(
        303,
        List.of(
            Map.entry("location", location), Map.entry("set-cookie", cookie), Map.entry("cache-control", "no-store")),
        "");
  }

  /**
   * The headers that clear every session cookie that a browser sent, at most 100 of them.
   *
   * @param cookieHeaders the values of the request's cookie headers
   * @return names and values, in the order of the cookies
   */
  public static List<Map.Entry<String, String>> clear(List<String> cookieHeaders) {
    LinkedHashSet<String> names = new LinkedHashSet<>();
    for (String[] each : sessions(cookieHeaders)) {
      if (NAME.matcher(each[0]).matches()) {
        names.add(each[0]);
      }
    }
    List<Map.Entry<String, String>> headers = new ArrayList<>();
    for (String each : names.stream().limit(MOST_CLEARED).toList()) {
      for (String path : List.of("/", "/ui")) {
        headers.add(Map.entry("set-cookie", each + "=; Path=" + path + "; Max-Age=0" + ATTRIBUTES));
      }
    }
    return headers;
  }

  /** The token of the newest session; null: there is none. Throws RefusedException where that is not certain. */
  static String newest(List<String> cookieHeaders) {
    Map<String, String> byName = new LinkedHashMap<>();
    Map<BigInteger, String> byNumber = new LinkedHashMap<>();
    boolean numbered = true;
    for (String[] each : sessions(cookieHeaders)) {
      String suffix = each[0].substring(PREFIX.length());
      boolean number = NUMBER.matcher(suffix).matches();
      numbered &= number;
      if (differs(byName.put(each[0], each[1]), each[1])
          || (number && differs(byNumber.put(new BigInteger(suffix), each[1]), each[1]))) {
        throw new RefusedException(Refusal.CREDENTIALS_AMBIGUOUS);
      }
    }
    if (byName.isEmpty()) {
      return null;
    }
    return numbered
        ? byNumber.entrySet().stream().max(Map.Entry.comparingByKey()).orElseThrow().getValue()
        : byName.entrySet().stream()
            .max((one, other) -> Arrays.compare(codePoints(one.getKey()), codePoints(other.getKey())))
            .orElseThrow()
            .getValue();
  }

  private static boolean differs(String before, String now) {
    return before != null && !before.equals(now);
  }

  private static int[] codePoints(String text) {
    return text.codePoints().toArray();
  }

  private static List<String[]> sessions(List<String> cookieHeaders) {
    List<String[]> sessions = new ArrayList<>();
    for (String header : cookieHeaders) {
      for (String each : header.split(";", -1)) {
        int equals = each.indexOf('=');
        String name = equals < 0 ? "" : each.substring(0, equals).replaceFirst("^[ \\t]+", "");
        if (name.startsWith(PREFIX)) {
          String value = CredentialReader.trimmed(each.substring(equals + 1));
          boolean quoted = value.length() >= 2 && value.startsWith("\"") && value.endsWith("\"");
          sessions.add(new String[] {name, quoted ? value.substring(1, value.length() - 1) : value});
        }
      }
    }
    return sessions;
  }
}
