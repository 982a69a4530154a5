package dev.usherd.servlet;

import dev.usherd.Usherd;
import dev.usherd.http.RequestReader;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.MultipartConfigElement;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.EnumSet;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/** A real Jetty of one servlet, behind the filter. */
final class Jetty implements AutoCloseable {

  /** What the servlet does. */
  interface Serving {
    void post(HttpServletRequest request, HttpServletResponse response) throws Exception;
  }

  private static final class Only extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private final transient Serving serving;

    Only(Serving serving) {
      this.serving = serving;
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response)
        throws jakarta.servlet.ServletException, java.io.IOException {
      try {
        serving.post(request, response);
      } catch (jakarta.servlet.ServletException | java.io.IOException | RuntimeException as) {
        throw as;
      } catch (Exception other) {
        throw new jakarta.servlet.ServletException(other);
      }
    }
  }

  private final Server server = new Server();
  private final ServerConnector connector = new ServerConnector(server);

  Jetty(Usherd usherd, Serving serving) throws Exception {
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler("/");
    FilterHolder filter = new FilterHolder(new UsherFilter(usherd, RequestReader.defaults()));
    filter.setAsyncSupported(true);
    context.addFilter(filter, "/*", EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC));
    ServletHolder only = new ServletHolder(new Only(serving));
    only.setAsyncSupported(true);
    only.getRegistration().setMultipartConfig(new MultipartConfigElement(""));
    context.addServlet(only, "/*");
    server.setHandler(context);
    server.start();
  }

  /** How long a connection may stand still: reads and writes that wait for longer end with an error. */
  Jetty idle(Duration time) {
    connector.setIdleTimeout(time.toMillis());
    return this;
  }

  int port() {
    return connector.getLocalPort();
  }

  HttpRequest.Builder request(String token, String type, HttpRequest.BodyPublisher body) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + connector.getLocalPort() + "/v1/files"))
        .version(HttpClient.Version.HTTP_1_1)
        .timeout(Duration.ofSeconds(20))
        .header("authorization", "Bearer " + token)
        .header("content-type", type)
        .POST(body);
  }

  static HttpResponse<String> text(HttpRequest.Builder request) throws Exception {
    return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  static HttpResponse<InputStream> stream(HttpRequest.Builder request) throws Exception {
    return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
  }

  @Override
  public void close() {
    try {
      server.stop();
    } catch (Exception failed) {
      throw new IllegalStateException(failed);
    }
  }
}
