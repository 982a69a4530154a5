package dev.usherd.http;

import com.google.gson.stream.JsonWriter;
import dev.usherd.Decision;
import dev.usherd.UsherFault;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What a request that may not pass is answered with: the error that OpenAI's clients expect.
 *
 * @param status the HTTP status
 * @param headers names in lower case, and values
 * @param body JSON text; empty: none
 */
public record HttpAnswer(int status, List<Map.Entry<String, String>> headers, String body) {

  private static final Pattern HEADER_TEXT = Pattern.compile("[ -~]+");
  private static final Map.Entry<String, String> JSON = Map.entry("content-type", "application/json");

  /**
   * The status alone: a session's cookie is shown nowhere.
   *
   * @return a text that may stand in a log
   */
  @Override
  public String toString() {
    return "HttpAnswer[" + status + "]";
  }

  /**
   * The answer to a request that is denied.
   *
   * @param decision the denial
   * @return its status, its message, and its reason as the code
   * @throws IllegalArgumentException for an allowance
   */
  public static HttpAnswer denied(Decision decision) {
    if (decision.allowed()) {
      throw new IllegalArgumentException("decision: expected a denial");
    }
    int status = decision.httpStatus();
    List<Map.Entry<String, String>> headers = new ArrayList<>(List.of(JSON));
    // What could split the answer is left out.
    if (HEADER_TEXT.matcher(decision.wwwAuthenticate()).matches()) {
      headers.add(Map.entry("www-authenticate", decision.wwwAuthenticate()));
    }
    return new HttpAnswer(status, List.copyOf(headers), body(decision));
  }

  /**
   * The answer where there is no decision: 503, whose text never says why.
   *
   * @param fault the fault
   * @return the answer, with the server's advice on when to come back, a second at least: who comes back at once makes
   *     an outage worse
   */
  public static HttpAnswer fault(UsherFault fault) {
    List<Map.Entry<String, String>> headers = new ArrayList<>(List.of(JSON));
    fault.retryAfter().ifPresent(wait -> headers.add(Map.entry("retry-after", String.valueOf(wholeSeconds(wait)))));
    return new HttpAnswer(503, List.copyOf(headers), unknown());
  }

  /**
   * The answer to a request that is refused without asking anybody.
   *
   * @param refusal why
   * @return the answer
   */
  public static HttpAnswer refused(Refusal refusal) {
    List<Map.Entry<String, String>> headers = new ArrayList<>(List.of(JSON));
    if (!refusal.wwwAuthenticate.isEmpty()) {
      headers.add(Map.entry("www-authenticate", refusal.wwwAuthenticate));
    }
    String code = refusal.name().toLowerCase(Locale.ROOT);
    return new HttpAnswer(
        refusal.status, List.copyOf(headers), body(refusal.message, type(refusal.status), null, code));
  }

  /**
   * What a stream of server-sent events ends with when it is cut.
   *
   * @param denial the denial; null: nothing could be learned
   * @return one event with its empty line
   */
  public static String cut(Decision denial) {
    return "event: error\ndata: " + (denial == null ? unknown() : body(denial)) + "\n\n";
  }

  private static String body(Decision denial) {
    String param = denial.reason().startsWith("MODEL_") ? "model" : null;
    return body(denial.message(), type(denial.httpStatus()), param, denial.reason().toLowerCase(Locale.ROOT));
  }

  private static String unknown() {
    return body(
        "The authorization service gave no decision. Try again.",
        "service_unavailable_error",
        null,
        "authorization_unavailable");
  }

  private static String type(int status) {
    return switch (status) {
      case 401 -> "authentication_error";
      case 403 -> "permission_error";
      case 429 -> "rate_limit_error";
      default -> "invalid_request_error";
    };
  }

  private static String body(String message, String type, String param, String code) {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      json.beginObject().name("error").beginObject();
      json.name("message").value(message).name("type").value(type);
      json.name("param").value(param).name("code").value(code);
      json.endObject().endObject();
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return text.toString();
  }

  private static long wholeSeconds(Duration wait) {
    return Math.max(1, wait.getSeconds() + (wait.getNano() > 0 ? 1 : 0));
  }
}
