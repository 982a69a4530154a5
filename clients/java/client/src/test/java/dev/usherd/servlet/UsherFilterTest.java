package dev.usherd.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.usherd.Question;
import dev.usherd.UsherFault;
import dev.usherd.http.RequestReader;
import dev.usherd.testing.FakeDecision;
import dev.usherd.testing.FakeUsherd;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.EnumSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The filter in a real Jetty. */
class UsherFilterTest {

  private static final String BODY = "{\"model\":\"gpt-4o\",\"messages\":[]}";
  private static final String STREAMED = "{\"model\":\"gpt-4o\",\"stream\":true}";

  private final FakeUsherd usherd = new FakeUsherd();
  private final HttpClient http = HttpClient.newHttpClient();
  private final AtomicReference<Throwable> seen = new AtomicReference<>();
  private final CountDownLatch go = new CountDownLatch(1);
  private Server server;
  private String url;

  @BeforeEach
  void start() throws Exception {
    usherd.answer("alice", FakeDecision.allowed().userId("alice").model("gpt-4o").build());
    usherd.answer("bob", FakeDecision.denied("TEAM_BLOCKED").build());
    server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler("/gateway");
    FilterHolder filter =
        new FilterHolder(
            new UsherFilter(usherd, RequestReader.builder().basePath("/gateway").maxBody(1000).build()));
    filter.setAsyncSupported(true);
    context.addFilter(filter, "/*", EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC));
    context.addServlet(new ServletHolder(new Echo()), "/v1/echo");
    context.addServlet(new ServletHolder(new Streaming()), "/v1/chat/completions");
    ServletHolder async = new ServletHolder(new Async());
    async.setAsyncSupported(true);
    context.addServlet(async, "/v1/async");
    server.setHandler(context);
    server.start();
    url = "http://127.0.0.1:" + connector.getLocalPort() + "/gateway";
  }

  @AfterEach
  void end() throws Exception {
    go.countDown();
    server.stop();
  }

  /** Says what came behind the filter. */
  private static final class Echo extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
      String body = new String(request.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      response.setContentType("text/plain");
      response
          .getWriter()
          .print(
              UsherFilter.decisionOf(request).orElseThrow().resolvedModel()
                  + "|" + body + "|" + request.getParameter("a") + "|" + request.getParameter("q"));
    }
  }

  /** Streams until it is told to stop, or cannot go on. */
  private final class Streaming extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
      response.setContentType(request.getHeader("x-type"));
      try {
        String first = request.getHeader("x-first");
        response.getOutputStream().write((first == null ? "data: 0\n\n" : first).getBytes(StandardCharsets.UTF_8));
        if (request.getHeader("x-late") == null) {
          response.flushBuffer();
        }
        for (int each = 1; each < 500; each++) {
          if (go.await(request.getHeader("x-wait") == null ? 10 : 3000, TimeUnit.MILLISECONDS)) {
            return;
          }
          response.getOutputStream().write(("data: " + each + "\n\n").getBytes(StandardCharsets.UTF_8));
          if (request.getHeader("x-late") == null) {
            response.flushBuffer();
          }
        }
      } catch (IOException cut) {
        seen.set(cut);
        throw cut;
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Goes on after it has returned. */
  private static final class Async extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
      AsyncContext async = request.startAsync(request, response);
      async.setTimeout(20_000);
      response.setContentType("text/event-stream");
      response.getOutputStream().write("data: 0\n\n".getBytes(StandardCharsets.UTF_8));
      response.flushBuffer();
    }
  }

  private HttpRequest.Builder request(String path, String token, String body) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(url + path))
            .version(HttpClient.Version.HTTP_1_1)
            .timeout(Duration.ofSeconds(20))
            .header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body));
    return token.isEmpty() ? request : request.header("authorization", "Bearer " + token);
  }

  private HttpResponse<String> sent(HttpRequest.Builder request) throws IOException, InterruptedException {
    return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  /** A stream whose first event has come, and that is watched. */
  private InputStream begun(HttpRequest.Builder request) throws IOException, InterruptedException {
    InputStream body = http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream()).body();
    assertEquals("data: 0\n\n", new String(body.readNBytes(9), StandardCharsets.UTF_8));
    Watched.one(usherd);
    return body;
  }

  private static String rest(InputStream body) throws IOException {
    return new String(body.readAllBytes(), StandardCharsets.UTF_8);
  }

  private static String code(HttpResponse<String> response) {
    return JsonParser.parseString(response.body())
        .getAsJsonObject()
        .getAsJsonObject("error")
        .get("code")
        .getAsString();
  }

  @Test
  void what_is_allowed_passes_with_its_body_and_its_decision() throws Exception {
    HttpResponse<String> response = sent(request("/v1/echo?q=1", "alice", BODY));
    assertEquals(200, response.statusCode());
    assertEquals("gpt-4o|" + BODY + "|null|1", response.body());
    Question asked = usherd.asked().get(0);
    assertEquals("/v1/echo", asked.route());
    assertEquals("gpt-4o", asked.model());
    assertEquals(0, usherd.watched());
  }

  @Test
  void a_form_that_was_read_is_there_for_the_application() throws Exception {
    HttpResponse<String> response =
        sent(
            request("/v1/echo?q=2", "alice", "a=b%20c&model=whisper-1")
                .setHeader("content-type", "application/x-www-form-urlencoded"));
    assertEquals("gpt-4o|a=b%20c&model=whisper-1|b c|2", response.body());
    assertEquals("whisper-1", usherd.asked().get(0).model());
  }

  @Test
  void what_is_denied_never_reaches_the_application() throws Exception {
    HttpResponse<String> response = sent(request("/v1/echo", "bob", BODY));
    assertEquals(403, response.statusCode());
    assertEquals("team_blocked", code(response));
    response = sent(request("/v1/echo", "", BODY));
    assertEquals(401, response.statusCode());
    assertEquals("Bearer", response.headers().firstValue("www-authenticate").orElseThrow());
  }

  @Test
  void a_fault_is_a_503_and_refusals_ask_nobody() throws Exception {
    usherd.breakDown(UsherFault.Kind.UNAVAILABLE);
    HttpResponse<String> response = sent(request("/v1/echo", "alice", BODY));
    assertEquals(503, response.statusCode());
    assertEquals("authorization_unavailable", code(response));
    assertEquals(1, usherd.asked().size());
    assertEquals("credentials_ambiguous", code(sent(request("/v1/echo", "alice", BODY).header("x-api-key", "bob"))));
    assertEquals("body_too_large", code(sent(request("/v1/echo", "alice", " ".repeat(1001)))));
    assertEquals(
        "body_too_large",
        code(
            sent(
                request("/v1/echo", "alice", "")
                    .POST(
                        HttpRequest.BodyPublishers.fromPublisher(
                            HttpRequest.BodyPublishers.ofString(" ".repeat(1001)))))));
    assertEquals(1, usherd.asked().size());
  }

  @Test
  void a_stream_of_events_is_cut_at_once_with_an_error_event() throws Exception {
    HttpResponse<InputStream> response =
        http.send(
            request("/v1/chat/completions", "alice", STREAMED)
                .header("x-type", "text/event-stream")
                .header("x-wait", "1")
                .build(),
            HttpResponse.BodyHandlers.ofInputStream());
    BufferedReader lines = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
    assertEquals("data: 0", lines.readLine());
    assertEquals("", lines.readLine());
    Watched.one(usherd);
    long revoked = System.nanoTime();
    usherd.revoke("alice");
    assertEquals("event: error", lines.readLine());
    assertTrue(lines.readLine().contains("\"code\":\"token_revoked\""));
    assertEquals("", lines.readLine());
    assertNull(lines.readLine());
    // The application was waiting for 3 s: its client was told without it.
    assertTrue(System.nanoTime() - revoked < 2_000_000_000L);
  }

  @Test
  void what_the_application_had_begun_is_ended_before_the_error_event() throws Exception {
    HttpResponse<InputStream> response =
        http.send(
            request("/v1/chat/completions", "alice", STREAMED)
                .header("x-type", "text/event-stream; charset=utf-8")
                .header("x-wait", "1")
                .header("x-first", "data: begun")
                .build(),
            HttpResponse.BodyHandlers.ofInputStream());
    Watched.one(usherd);
    response.body().readNBytes("data: begun".length());
    usherd.revoke("alice");
    String rest = new String(response.body().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(rest.startsWith("\n\nevent: error\ndata: "), rest);
  }

  @Test
  void a_stream_that_goes_on_writing_sees_its_client_gone() throws Exception {
    InputStream stream = begun(request("/v1/chat/completions", "alice", STREAMED).header("x-type", "text/event-stream"));
    usherd.answer("alice", FakeDecision.denied("USER_BLOCKED").build());
    String body = rest(stream);
    assertTrue(body.endsWith("\"code\":\"user_blocked\"}}\n\n"), body);
    for (int each = 0; each < 500 && seen.get() == null; each++) {
      Thread.sleep(5);
    }
    assertTrue(seen.get() instanceof AnswerCutException);
    assertEquals(0, usherd.watched());
  }

  @Test
  void when_nothing_can_be_learned_a_stream_is_cut_without_saying_why() throws Exception {
    InputStream stream = begun(request("/v1/chat/completions", "alice", STREAMED).header("x-type", "text/event-stream"));
    usherd.breakDown(UsherFault.Kind.OVERLOADED);
    assertTrue(rest(stream).endsWith("\"code\":\"authorization_unavailable\"}}\n\n"));
  }

  @Test
  void any_other_stream_is_broken_off_so_that_it_is_not_taken_for_whole() throws Exception {
    InputStream stream = begun(request("/v1/chat/completions", "alice", STREAMED).header("x-type", "application/x-ndjson"));
    usherd.revoke("alice");
    assertThrows(IOException.class, () -> rest(stream));
  }

  @Test
  void an_answer_that_has_not_begun_is_answered_as_a_denial() throws Exception {
    CompletableFuture<HttpResponse<String>> response =
        http.sendAsync(
            request("/v1/chat/completions", "alice", STREAMED)
                .header("x-type", "application/json")
                .header("x-late", "1")
                .build(),
            HttpResponse.BodyHandlers.ofString());
    Watched.one(usherd);
    usherd.revoke("alice");
    HttpResponse<String> answer = response.get(10, TimeUnit.SECONDS);
    assertEquals(401, answer.statusCode());
    assertEquals("token_revoked", code(answer));
  }

  @Test
  void a_stream_of_events_that_nobody_asked_for_is_watched_all_the_same() throws Exception {
    InputStream stream = begun(request("/v1/chat/completions", "alice", BODY).header("x-type", "text/event-stream"));
    usherd.revoke("alice");
    assertTrue(rest(stream).contains("event: error"));
  }

  @Test
  void an_answer_in_parts_that_lasts_is_watched() throws Exception {
    InputStream stream = begun(request("/v1/chat/completions", "alice", BODY).header("x-type", "text/plain"));
    usherd.revoke("alice");
    assertThrows(IOException.class, () -> rest(stream));
  }

  @Test
  void a_stream_that_stays_allowed_ends_whole_and_is_watched_no_more() throws Exception {
    InputStream stream = begun(request("/v1/chat/completions", "alice", STREAMED).header("x-type", "text/event-stream"));
    usherd.answer("alice", FakeDecision.allowed().userId("alice").build());
    go.countDown();
    assertFalse(rest(stream).contains("error"));
    assertEquals(0, usherd.watched());
  }

  @Test
  void an_asynchronous_stream_is_cut_and_completed() throws Exception {
    HttpResponse<InputStream> response =
        http.send(request("/v1/async", "alice", STREAMED).build(), HttpResponse.BodyHandlers.ofInputStream());
    assertEquals("data: 0\n\n", new String(response.body().readNBytes(9), StandardCharsets.UTF_8));
    Watched.one(usherd);
    usherd.revoke("alice");
    String rest = new String(response.body().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(rest.startsWith("event: error\n"), rest);
    assertTrue(rest.contains("token_revoked"));
  }
}
