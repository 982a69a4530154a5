package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.usherd.http.RequestReader;
import dev.usherd.servlet.UsherFilter;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A real usherd, a real Jetty, and a stream between them. */
@Tag("daemon")
class RevokedStreamTest {

  private static final class Streaming extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
      response.setContentType("text/event-stream");
      try {
        for (int each = 0; each < 1000; each++) {
          response.getOutputStream().write("data: {}\n\n".getBytes(StandardCharsets.UTF_8));
          response.flushBuffer();
          Thread.sleep(20);
        }
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Test
  void a_streamed_answer_is_cut_when_its_token_is_revoked() throws Exception {
    Warm.up();
    try (StoryServer usherd = new StoryServer();
        UsherClient client = UsherClient.builder(usherd.target).cache(DecisionCache.ofSize(100)).build()) {
      JsonObject ask =
          usherd.post("lab/begin", "{\"teams\":2}").getAsJsonArray("asks").get(1).getAsJsonObject();
      Server jetty = new Server();
      ServerConnector connector = new ServerConnector(jetty);
      connector.setHost("127.0.0.1");
      jetty.addConnector(connector);
      ServletContextHandler context = new ServletContextHandler("/");
      FilterHolder filter = new FilterHolder(new UsherFilter(client, RequestReader.defaults()));
      filter.setAsyncSupported(true);
      context.addFilter(filter, "/*", EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC));
      context.addServlet(new ServletHolder(new Streaming()), "/*");
      jetty.setHandler(context);
      jetty.start();
      try {
        HttpResponse<InputStream> response =
            HttpClient.newHttpClient()
                .send(
                    HttpRequest.newBuilder(
                            URI.create("http://127.0.0.1:" + connector.getLocalPort() + ask.get("route").getAsString()))
                        .version(HttpClient.Version.HTTP_1_1)
                        .header("authorization", "Bearer " + ask.get("token").getAsString())
                        .header("content-type", "application/json")
                        .POST(
                            HttpRequest.BodyPublishers.ofString(
                                "{\"stream\":true,\"model\":" + ask.get("model") + "}"))
                        .build(),
                    HttpResponse.BodyHandlers.ofInputStream());
        assertEquals(200, response.statusCode());
        response.body().readNBytes(100);
        usherd.post("lab/revoke", "{\"team\":1}");
        long revoked = System.nanoTime();
        String rest = new String(response.body().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(System.nanoTime() - revoked < 5_000_000_000L);
        assertTrue(rest.contains("event: error\ndata: {"), rest);
        assertTrue(rest.endsWith("\"code\":\"token_revoked\"}}\n\n"), rest);
      } finally {
        jetty.stop();
      }
    }
  }
}
