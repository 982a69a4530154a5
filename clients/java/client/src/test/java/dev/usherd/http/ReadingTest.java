package dev.usherd.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.usherd.Question;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the shared cases leave open. */
class ReadingTest {

  private static final Map.Entry<String, String> FORM = Map.entry("content-type", "application/x-www-form-urlencoded");
  private static final Map.Entry<String, String> PARTS = Map.entry("content-type", "multipart/form-data; boundary=b");

  private static ReadRequest read(String body) {
    return read(body.getBytes(StandardCharsets.UTF_8));
  }

  private static ReadRequest read(byte[] body) {
    return RequestReader.defaults().read("POST", "/v1/x", Headers.of(List.of()), body);
  }

  private static ReadRequest read(byte[] body, Map.Entry<String, String> header) {
    return RequestReader.defaults().read("POST", "/v1/x", Headers.of(List.of(header)), body);
  }

  private static ReadRequest form(String body) {
    return read(body.getBytes(StandardCharsets.UTF_8), FORM);
  }

  private static ReadRequest parts(String body) {
    return read(body.replace("\n", "\r\n").getBytes(StandardCharsets.UTF_8), PARTS);
  }

  @Test
  void only_json_of_the_standard_is_read() {
    List<String> bad =
        List.of(
            "{\"model\":\"m\",}", "{'model':'m'}", "{model:\"m\"}", "{\"model\":\"m\"}//", "{\"model\":\"m\"/**/}",
            "{\"model\":\"m\",\"a\":01}", "{\"model\":\"m\",\"a\":1.}", "{\"model\":\"m\",\"a\":+1}",
            "{\"model\":\"m\",\"a\":TRUE}", "{\"model\":\"m\",\"a\":\"\t\"}", "{\"model\":\"m\",\"a\":\"\\'\"}",
            "{\"model\":\"m\",\"a\":\"\\u00g0\"}", "{\"model\":\"m\",\"a\":[1,]}", "{\"model\"=\"m\"}",
            "{\"model\":\"m\";\"a\":1}", "\u000b{\"model\":\"m\"}", ")]}'\n{\"model\":\"m\"}", "{\"model\":\"m\"}\0",
            "{\"model\":\"m\",\"a\":-Infinity}", "{\"model\":\"m\"", "null", "\"model\"", "{\"model\":\"m\",\"a\":}",
            "{\"model\":\"m\",\"a\":" + "[".repeat(100_000) + "}");
    for (String each : bad) {
      assertNull(read(each).model(), each.substring(0, Math.min(40, each.length())));
    }
    assertEquals("m", read(" \t\r\n{ \"model\" : \"m\" , \"a\" : -0.5e+10 }\n").model());
    assertEquals("\u00fc\ud83d\ude00", read("{\"model\":\"\u00fc\ud83d\ude00\"}").model());
  }

  @Test
  void what_is_named_twice_is_asked_as_something_that_is_denied() {
    for (String each :
        List.of(
            "{\"user\":\"a\",\"user\":\"b\"}",
            "{\"user\":\"\",\"user\":\"\"}",
            "{\"metadata\":{},\"metadata\":{\"user_id\":\"b\"}}",
            "{\"metadata\":{\"user_id\":\"a\",\"user_id\":\"b\"}}",
            "{\"litellm_metadata\":7,\"litellm_metadata\":{},\"metadata\":{\"user_id\":\"b\"}}",
            "{\"litellm_metadata\":{\"user\":\"a\",\"user\":\"b\"}}")) {
      assertEquals("\0", read(each).endUserId(), each);
    }
    assertEquals("a", read("{\"metadata\":{},\"metadata\":{},\"user\":\"a\"}").endUserId());
    assertTrue(read("{\"metadata\":{},\"metadata\":{}}").modifiesGuardrails());
    assertTrue(read("{\"stream\":true,\"stream\":false}").stream());
    assertEquals("\0", read("{\"organization_id\":\"a\",\"organization_id\":\"a\"}").organizationId());
    for (String each :
        List.of(
            "{\"model\":\"m\",\"fallbacks\":[],\"fallbacks\":[\"o3\"]}",
            "{\"model\":\"m\",\"fallbacks\":null,\"fallbacks\":null}",
            "{\"model\":\"m\",\"fallbacks\":[{\"model\":\"a\",\"model\":\"b\"}]}",
            "{\"model\":\"m\",\"fallbacks\":\"o3\"}",
            "{\"model\":\"m\",\"fallbacks\":{\"model\":\"o3\"}}",
            "{\"model\":\"m\",\"fallbacks\":[[\"o3\"]]}")) {
      assertEquals(List.of(""), read(each).fallbackModels(), each);
      assertEquals("m", read(each).model(), each);
    }
    assertTrue(read("{\"guardrails\":[],\"guardrails\":[]}").modifiesGuardrails());
    assertEquals("m", read("{\"x\":1,\"x\":2,\"model\":\"m\"}").model());
    assertNull(read("{\"model\":\"m\",\"model\":\"m\"}").model());
  }

  @Test
  void values_of_other_kinds_are_what_they_count_as() {
    for (String each : List.of("null", "false", "0", "-0.0", "0e5", "\"\"", "[]", "{}", " [ ] ")) {
      assertFalse(read("{\"guardrails\":" + each + "}").modifiesGuardrails(), each);
      assertFalse(read("{\"metadata\":{\"guardrails\":" + each + "}}").modifiesGuardrails(), each);
    }
    for (String each : List.of("true", "1", "0.001", "1e0", "\"x\"", "[0]", "{\"a\":null}")) {
      assertTrue(read("{\"guardrails\":" + each + "}").modifiesGuardrails(), each);
      assertTrue(read("{\"metadata\":{\"guardrails\":" + each + "}}").modifiesGuardrails(), each);
    }
    assertEquals("", read("{\"organization_id\":null}").organizationId());
    assertEquals("\0", read("{\"organization_id\":7}").organizationId());
    assertEquals("", read("{\"metadata\":7,\"litellm_metadata\":[1]}").endUserId());
    assertEquals(17, read("{\"fallbacks\":[" + "\"m\",".repeat(50) + "\"m\"]}").fallbackModels().size());
  }

  @Test
  void a_form_that_could_be_read_in_two_ways_names_nothing() {
    assertEquals("a b", form("model=a+b&x").model());
    assertEquals("u", form("model=m&user=u").endUserId());
    assertTrue(form("model=m&guardrails=x").modifiesGuardrails());
    assertEquals("\0", form("model=m&user=a&user=b").endUserId());
    assertEquals("\0", form("organization_id=a&organization_id=b").organizationId());
    assertTrue(form("guardrails=&guardrails=").modifiesGuardrails());
    assertEquals("\0", form("metadata=a&metadata=b").endUserId());
    assertEquals(List.of(""), form("model=m&fallbacks=o3").fallbackModels());
    assertEquals("m", form("mod%65l=m").model());
    for (String each : List.of("model=%", "model=%4", "model=%zz", "model=m&x=%ff", "model=m&model=m")) {
      assertNull(form(each).model(), each);
    }
    assertNull(form("model=m" + "&x".repeat(20_000)).model());
    assertEquals("A", form("model=%41").model());
  }

  @Test
  void parts_that_could_be_read_in_two_ways_name_nothing() {
    String part = "--b\nContent-Disposition: form-data; name=\"model\"\n\nm\n";
    assertEquals("m", parts(part + "--b--\n").model());
    assertEquals("m", parts(part + "--b--").model());
    assertEquals(
        "m",
        parts("--b\ncontent-type: text/plain; charset=utf-8\ncontent-disposition: form-data; name=\"model\"\n\nm\n--b--")
            .model());
    assertEquals("", parts("--b\nContent-Disposition: form-data; name=\"model\"\n\n\n--b--").model());
    assertEquals(
        "u", parts(part + "--b\nContent-Disposition: form-data; name=\"user\"\n\nu\n--b--").endUserId());
    for (String each :
        List.of(
            "x" + part + "--b--", "\n" + part + "--b--", part + "--b--x", part + "--b", part + "--b \n--b--", part,
            part + part + "--b--", "--b\n\nm\n--b--",
            "--b\nContent-Disposition: form-data; name=\"model\"\nContent-Transfer-Encoding: base64\n\nbQ==\n--b--",
            "--b\nContent-Disposition: form-data; name=\"model\"; filename*=utf-8''x\n\nm\n--b--",
            "--b\nContent-Disposition: form-data; name=\"model\"; name=\"x\"\n\nm\n--b--",
            "--b\nContent-Disposition: form-data; name*=utf-8''model\n\nm\n--b--",
            "--b\nContent-Disposition: form-data; name=\"mod\\el\"\n\nm\n--b--" + part,
            "--b\nContent-Disposition: form-data; name=\"model\"\nContent-Disposition: form-data; name=\"x\"\n\nm\n--b--",
            "--b\nContent-Disposition: form-data; name=\"model\"\nContent-Type: text/plain; charset=utf-16\n\nm\n--b--",
            "--b\nContent-Disposition: attachment; name=\"model\"\n\nm\n--b--")) {
      assertNull(parts(each).model(), each);
    }
    assertNull(
        read((part + "--b--").replace("\n", "\r\n").getBytes(StandardCharsets.UTF_8),
                Map.entry("content-type", "multipart/form-data; boundary=b; boundary=c"))
            .model());
  }

  @Test
  void bytes_that_make_no_sense_end_in_nothing() {
    byte[] bytes = new byte[300];
    for (int seed = 0; seed < 2000; seed++) {
      new java.util.Random(seed).nextBytes(bytes);
      byte[] begun = ("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n").getBytes(StandardCharsets.UTF_8);
      byte[] mixed = Arrays.copyOf(begun, begun.length + bytes.length);
      System.arraycopy(bytes, 0, mixed, begun.length, bytes.length);
      assertNull(read(mixed, PARTS).model());
      assertNull(read(bytes).model());
      read(bytes, FORM);
    }
  }

  @Test
  void a_body_is_read_up_to_its_bound() {
    RequestReader reader = RequestReader.builder().maxBody(3).build();
    assertEquals("/", reader.read("POST", "/", Headers.of(List.of()), new byte[3]).route());
    RefusedException refused =
        assertThrows(
            RefusedException.class, () -> reader.read("POST", "/", Headers.of(List.of()), new byte[4]));
    assertEquals(Refusal.BODY_TOO_LARGE, refused.refusal());
  }

  @Test
  void two_wishes_for_a_team_are_one_that_is_refused() {
    RequestReader reader = RequestReader.builder().teamHeader("X-Team").teamAliasHeader("X-Alias").build();
    ReadRequest read =
        reader.read(
            "GET", "/", Headers.of(List.of(Map.entry("x-team", "a"), Map.entry("x-alias", "b"))), new byte[0]);
    assertEquals("", read.teamId());
    assertNull(read.teamAlias());
    Question asked = read.question(new Credential("secret-token", "authorization"));
    assertEquals("secret-token", asked.token());
    HttpAnswer cookie = SessionCookies.set("a.b.secret-token", Instant.EPOCH, "/");
    for (Object each : List.of(asked, read, cookie, new Credential("secret-token", "authorization"))) {
      assertFalse(each.toString().contains("secret-token"));
    }
  }

  @Test
  void a_websocket_is_asked_about_at_its_handshake() {
    List<Map.Entry<String, String>> headers = new ArrayList<>();
    headers.add(Map.entry("Upgrade", "WebSocket"));
    headers.add(Map.entry("Cookie", "litellm_ui_token_1=a.b.c"));
    RequestReader reader = RequestReader.builder().origin("https://ui.example").build();
    RefusedException refused =
        assertThrows(RefusedException.class, () -> reader.credential("GET", Headers.of(headers)));
    assertEquals(Refusal.ORIGIN_NOT_ALLOWED, refused.refusal());
    headers.add(Map.entry("Origin", "https://ui.example"));
    assertEquals("a.b.c", reader.credential("GET", Headers.of(headers)).token());
    assertEquals("gpt", reader.read("GET", "/v1/realtime?model=gpt", Headers.of(headers), new byte[0]).model());
    assertNull(reader.read("GET", "/v1/realtime?model=a&model=b", Headers.of(headers), new byte[0]).model());
    assertNull(reader.read("GET", "/v1/realtime", Headers.of(headers), new byte[0]).model());
    assertNull(reader.read("GET", "/v1/realtime?model=gpt", Headers.of(List.of()), new byte[0]).model());
    // What has a body that is left unread is none, although nothing of it is at hand.
    headers.add(Map.entry("Content-Encoding", "gzip"));
    assertNull(reader.read("GET", "/v1/realtime?model=gpt", Headers.of(headers), new byte[0]).model());
    headers.remove(headers.size() - 1);
    // Who only says so does not choose what is read.
    byte[] body = "{\"model\":\"o3\",\"guardrails\":[1]}".getBytes(StandardCharsets.UTF_8);
    for (String method : List.of("POST", "GET")) {
      ReadRequest read = reader.read(method, "/v1/chat/completions?model=gpt", Headers.of(headers), body);
      assertEquals("o3", read.model());
      assertTrue(read.modifiesGuardrails());
    }
  }

  @Test
  void cookies_are_set_and_cleared_within_bounds() {
    assertThrows(
        IllegalArgumentException.class,
        () -> SessionCookies.set("a.b." + "c".repeat(5000), java.time.Instant.now(), "/"));
    StringBuilder many = new StringBuilder();
    for (int each = 0; each < 500; each++) {
      many.append("litellm_ui_token_").append(each).append("=x; ");
    }
    assertEquals(200, SessionCookies.clear(List.of(many.toString())).size());
  }
}
