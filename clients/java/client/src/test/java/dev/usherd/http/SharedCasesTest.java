package dev.usherd.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.usherd.Decision;
import dev.usherd.UsherFault;
import dev.usherd.v1.Effect;
import dev.usherd.v1.Reason;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SharedCasesTest {

  static Stream<Arguments> credentials() throws IOException {
    return Cases.of("credentials.json");
  }

  static Stream<Arguments> requests() throws IOException {
    return Cases.of("requests.json");
  }

  static Stream<Arguments> errors() throws IOException {
    return Cases.of("errors.json");
  }

  static Stream<Arguments> cookies() throws IOException {
    return Cases.of("cookies.json");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("credentials")
  void the_credential_of_a_request_is_the_one_of_the_case(String name, JsonObject given) {
    JsonObject expect = given.getAsJsonObject("expect");
    RequestReader reader = Cases.reader(given.getAsJsonObject("options"));
    Headers headers = Headers.of(Cases.pairs(given.getAsJsonArray("headers")));
    if (expect.has("refused")) {
      RefusedException refused =
          assertThrows(RefusedException.class, () -> reader.credential(Cases.text(given, "method"), headers));
      assertEquals(Cases.text(expect, "refused"), refused.refusal().name().toLowerCase(Locale.ROOT));
    } else {
      assertEquals(Set.of("token", "source"), expect.keySet());
      Credential credential = reader.credential(Cases.text(given, "method"), headers);
      assertEquals(Cases.text(expect, "token"), credential.token());
      assertEquals(Cases.text(expect, "source"), credential.source());
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("requests")
  void what_a_request_asks_for_is_what_the_case_says(String name, JsonObject given) {
    byte[] body =
        given.has("body_base64")
            ? Base64.getDecoder().decode(Cases.text(given, "body_base64"))
            : Cases.text(given, "body").getBytes(StandardCharsets.UTF_8);
    ReadRequest read =
        Cases.reader(given.getAsJsonObject("options"))
            .read(
                Cases.text(given, "method"),
                Cases.text(given, "target"),
                Headers.of(Cases.pairs(given.getAsJsonArray("headers"))),
                body);
    JsonObject expect = given.getAsJsonObject("expect");
    List<String> fallbacks = new ArrayList<>();
    expect.getAsJsonArray("fallback_models").forEach(each -> fallbacks.add(each.getAsString()));
    assertEquals(10, expect.size());
    assertEquals(
        new ReadRequest(
            Cases.text(expect, "route"),
            Cases.text(expect, "method"),
            Cases.text(expect, "model"),
            fallbacks,
            Cases.text(expect, "team_id"),
            Cases.text(expect, "team_alias"),
            Cases.text(expect, "end_user_id"),
            Cases.text(expect, "organization_id"),
            expect.get("modifies_guardrails").getAsBoolean(),
            expect.get("stream").getAsBoolean()),
        read);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("errors")
  void a_request_that_may_not_pass_is_answered_as_the_case_says(String name, JsonObject given) {
    HttpAnswer answer;
    if (given.has("decision")) {
      answer = HttpAnswer.denied(denial(given.getAsJsonObject("decision")));
    } else if (given.has("fault")) {
      JsonElement wait = given.getAsJsonObject("fault").get("retry_after");
      answer =
          HttpAnswer.fault(
              new UsherFault(
                  UsherFault.Kind.UNAVAILABLE,
                  "KEYS_UNAVAILABLE",
                  wait == null ? null : Duration.ofMillis((long) (wait.getAsDouble() * 1000))));
    } else {
      answer = HttpAnswer.refused(Refusal.valueOf(Cases.text(given, "refused").toUpperCase(Locale.ROOT)));
    }
    JsonObject expect = given.getAsJsonObject("expect");
    assertEquals(Set.of("status", "headers", "body"), expect.keySet());
    assertEquals(expect.get("status").getAsInt(), answer.status());
    Map<String, String> headers = new TreeMap<>();
    expect.getAsJsonObject("headers").entrySet().forEach(each -> headers.put(each.getKey(), each.getValue().getAsString()));
    Map<String, String> answered = new TreeMap<>();
    answer.headers().forEach(each -> answered.put(each.getKey(), each.getValue()));
    assertEquals(headers, answered);
    assertEquals(expect.get("body"), JsonParser.parseString(answer.body()));
  }

  @Test
  void a_stream_that_is_cut_ends_with_the_event_of_the_case() throws IOException {
    JsonObject cut = Cases.file("errors.json").getAsJsonObject("cut");
    assertEquals(Cases.text(cut, "sse"), HttpAnswer.cut(denial(cut.getAsJsonObject("denial"))));
    assertTrue(HttpAnswer.cut(null).contains("authorization_unavailable"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cookies")
  void a_session_s_cookie_is_set_and_cleared_as_the_case_says(String name, JsonObject given) {
    JsonObject expect = given.getAsJsonObject("expect");
    if (given.has("clear")) {
      List<String> cookies = new ArrayList<>();
      given.getAsJsonObject("clear").getAsJsonArray("cookies").forEach(each -> cookies.add(each.getAsString()));
      assertEquals(Cases.pairs(expect.getAsJsonArray("headers")), SessionCookies.clear(cookies));
      return;
    }
    JsonObject set = given.getAsJsonObject("set");
    Instant now = Instant.ofEpochMilli((long) (set.get("now").getAsDouble() * 1000));
    if (expect.has("error")) {
      IllegalArgumentException refused =
          assertThrows(
              IllegalArgumentException.class,
              () -> SessionCookies.set(Cases.text(set, "token"), now, Cases.text(set, "location")));
      assertTrue(refused.getMessage().startsWith(Cases.text(expect, "error") + ":"));
      return;
    }
    HttpAnswer answer = SessionCookies.set(Cases.text(set, "token"), now, Cases.text(set, "location"));
    assertEquals(expect.get("status").getAsInt(), answer.status());
    assertEquals(Cases.pairs(expect.getAsJsonArray("headers")), answer.headers());
    assertEquals("", answer.body());
  }

  private static Decision denial(JsonObject given) {
    String reason = Cases.text(given, "reason");
    String header = Cases.text(given, "www_authenticate");
    dev.usherd.v1.Decision.Builder wire =
        dev.usherd.v1.Decision.newBuilder()
            .setEffect(Effect.EFFECT_DENY)
            .setMessage(Cases.text(given, "message"))
            .setHttpStatus(given.get("http_status").getAsInt())
            .setWwwAuthenticate(header == null ? "" : header);
    if (reason.equals("UNKNOWN")) {
      wire.setReasonValue(9999);
    } else {
      wire.setReason(Reason.valueOf("REASON_" + reason));
    }
    return Decision.of(wire.build());
  }
}
