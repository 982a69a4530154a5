package dev.usherd.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.usherd.Question;
import dev.usherd.testing.FakeDecision;
import dev.usherd.testing.FakeUsherd;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Answers that go on after the application has returned are cut at once, although nobody writes to them. */
class LastingAnswerTest {

  private final FakeUsherd usherd = new FakeUsherd().answer("alice", FakeDecision.allowed().userId("alice").build());

  private static HttpRequest.Builder streamed(Jetty jetty) {
    return jetty.request(
        "alice", "application/json", HttpRequest.BodyPublishers.ofString("{\"model\":\"m\",\"stream\":true}"));
  }

  /** Writes a line of an answer that goes on after the servlet has returned. */
  private static void begin(HttpServletRequest request, HttpServletResponse response) throws IOException {
    request.startAsync(request, response).setTimeout(20_000);
    response.setContentType("application/x-ndjson");
    response.getOutputStream().write("{}\n".getBytes());
    response.flushBuffer();
  }

  @Test
  void one_that_is_no_stream_of_events_is_broken_off() throws Exception {
    try (Jetty jetty = new Jetty(usherd, LastingAnswerTest::begin)) {
      InputStream body = Jetty.stream(streamed(jetty)).body();
      assertEquals("{}\n", new String(body.readNBytes(3)));
      Watched.one(usherd);
      long revoked = System.nanoTime();
      usherd.revoke("alice");
      assertThrows(IOException.class, body::readAllBytes);
      assertTrue(System.nanoTime() - revoked < 5_000_000_000L);
    }
  }

  @Test
  void one_whose_application_is_in_the_middle_of_writing_is_broken_off_as_well() throws Exception {
    try (Jetty jetty =
        new Jetty(
            usherd,
            (request, response) -> {
              begin(request, response);
              usherd.revoke("alice");
              response.getOutputStream().write("{}\n".getBytes());
            })) {
      InputStream body = Jetty.stream(streamed(jetty)).body();
      assertEquals("{}\n", new String(body.readNBytes(3)));
      long cut = System.nanoTime();
      assertThrows(IOException.class, body::readAllBytes);
      assertTrue(System.nanoTime() - cut < 5_000_000_000L);
    }
  }

  @Test
  void one_that_has_not_begun_is_answered_as_a_denial() throws Exception {
    try (Jetty jetty = new Jetty(usherd, (request, response) -> request.startAsync(request, response).setTimeout(20_000))) {
      CompletableFuture<HttpResponse<String>> answer =
          HttpClient.newHttpClient().sendAsync(streamed(jetty).build(), HttpResponse.BodyHandlers.ofString());
      Watched.one(usherd);
      // The application has returned before that, or is about to.
      Thread.sleep(200);
      usherd.revoke("alice");
      HttpResponse<String> denied = answer.get(5, TimeUnit.SECONDS);
      assertEquals(401, denied.statusCode());
      assertTrue(denied.body().contains("token_revoked"), denied.body());
    }
  }

  @Test
  void what_outlives_its_request_finds_the_question_to_watch() throws Exception {
    AtomicReference<Question> question = new AtomicReference<>();
    try (Jetty jetty =
        new Jetty(usherd, (request, response) -> question.set(UsherFilter.questionOf(request).orElseThrow()))) {
      assertEquals(200, Jetty.text(streamed(jetty)).statusCode());
      assertEquals(usherd.asked().get(0), question.get());
    }
  }
}
