package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.usherd.http.RequestReader;
import dev.usherd.servlet.UsherFilter;
import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.Mode;
import dev.usherd.v1.Resync;
import dev.usherd.v1.SubscribeResponse;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.EnumSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The first request of somebody who is yet to be written to the directory, and it is streamed. */
class FirstStreamTest {

  private static final AskOptions ROOMY = AskOptions.defaults().deadline(Duration.ofSeconds(20));

  private static final class Events extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private final transient CountDownLatch enough;

    private Events(CountDownLatch enough) {
      this.enough = enough;
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
      response.setContentType("text/event-stream");
      response.getOutputStream().print("data: {}\n\n");
      response.flushBuffer();
      try {
        // A watch ends with its answer, and one that ends at once may never have been asked about.
        assertTrue(enough.await(30, TimeUnit.SECONDS));
      } catch (InterruptedException stopped) {
        throw new IOException(stopped);
      }
    }
  }

  private static HttpResponse<String> streamed(Usherd usherd, String token, CountDownLatch enough) throws Exception {
    Server jetty = new Server();
    ServerConnector connector = new ServerConnector(jetty);
    connector.setHost("127.0.0.1");
    jetty.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler("/");
    FilterHolder filter = new FilterHolder(new UsherFilter(usherd, RequestReader.defaults(), ROOMY));
    filter.setAsyncSupported(true);
    context.addFilter(filter, "/*", EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC));
    context.addServlet(new ServletHolder(new Events(enough)), "/*");
    jetty.setHandler(context);
    jetty.start();
    try {
      return HttpClient.newHttpClient()
          .send(
              HttpRequest.newBuilder(
                      URI.create("http://127.0.0.1:" + connector.getLocalPort() + "/v1/chat/completions"))
                  .version(HttpClient.Version.HTTP_1_1)
                  .header("authorization", "Bearer " + token)
                  .header("content-type", "application/json")
                  .POST(HttpRequest.BodyPublishers.ofString("{\"stream\":true,\"model\":\"gpt-4o\"}"))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
    } finally {
      jetty.stop();
    }
  }

  @Test
  void it_is_asked_about_once_before_it_is_watched_although_there_is_a_cache() throws Exception {
    try (ScriptedServer server = new ScriptedServer();
        UsherClient client = UsherClient.builder(server.target()).cache(DecisionCache.enabled()).build()) {
      ScriptedServer.Subscribed stream = server.stream();
      stream.say(Messages.checkpoint().toBuilder().setTerms(Messages.terms(60_000)).build());
      Eventually.holds("the stream is in use", client::cacheIsOpen);
      CountDownLatch enough = new CountDownLatch(1);
      CompletableFuture<HttpResponse<String>> answer = new CompletableFuture<>();
      Thread asking =
          new Thread(
              () -> {
                try {
                  answer.complete(streamed(client, "new", enough));
                } catch (Exception failed) {
                  answer.completeExceptionally(failed);
                }
              });
      asking.start();
      // A stream writes nothing: there is no decision on it.
      stream.say(
          SubscribeResponse.newBuilder().setId(stream.added().getId()).setResync(Resync.getDefaultInstance()).build());
      AuthorizeRequest first = server.requests.poll(10, TimeUnit.SECONDS);
      AuthorizeRequest second = server.requests.poll(10, TimeUnit.SECONDS);
      enough.countDown();
      assertEquals(Mode.MODE_ONCE, first.getMode());
      assertEquals(Mode.MODE_WATCH, second.getMode());
      assertEquals(first.getQuestion(), second.getQuestion());
      assertEquals(200, answer.get(10, TimeUnit.SECONDS).statusCode());
    }
  }

  @Test
  @Tag("daemon")
  void whoever_is_yet_to_be_written_is_written() throws Exception {
    Warm.up();
    try (StoryServer server = new StoryServer();
        UsherClient client = UsherClient.builder(server.target).cache(DecisionCache.enabled()).build()) {
      String place = "stories/" + provisioning(server);
      server.post(place + "/begin", "");
      Question question = StoryServer.question(server.post(place + "/steps/0", "").getAsJsonObject("ask"));
      assertEquals(200, streamed(client, question.token(), new CountDownLatch(0)).statusCode());
      BlockingQueue<WatchEvent> events = new LinkedBlockingQueue<>();
      client.watch(question, ROOMY, events::add);
      // Who is not written has no row: a watch has no user to name.
      WatchEvent first = events.poll(10, TimeUnit.SECONDS);
      assertTrue(first.allowed());
      assertEquals("new", first.holding().orElseThrow().principal().orElseThrow().userId());
    }
  }

  private static String provisioning(StoryServer server) throws Exception {
    for (JsonElement each : server.get("stories").getAsJsonArray("stories")) {
      JsonObject story = each.getAsJsonObject();
      if (story.get("name").getAsString().equals("whoever holds the role is written, once")) {
        return story.get("id").getAsString();
      }
    }
    throw new AssertionError("that story is not there");
  }
}
