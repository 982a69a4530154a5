package dev.usherd.http;

/**
 * What a request shows of who sends it.
 *
 * @param token the token, for the server to judge; empty: none
 * @param source "authorization", "api-key", "x-api-key", "x-goog-api-key", "header" (the configured one), "cookie" or
 *     "none"
 */
public record Credential(String token, String source) {

  /**
   * The source alone: the token is shown nowhere.
   *
   * @return a text that may stand in a log
   */
  @Override
  public String toString() {
    return "Credential[" + source + "]";
  }
}
