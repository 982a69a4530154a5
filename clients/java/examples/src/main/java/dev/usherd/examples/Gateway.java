package dev.usherd.examples;

import dev.usherd.Decision;
import dev.usherd.DecisionCache;
import dev.usherd.UsherClient;
import dev.usherd.http.RequestReader;
import dev.usherd.servlet.UsherFilter;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.EnumSet;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/** A gateway of one servlet: what arrives in it is allowed, and what it streams is cut once it no longer is. */
public final class Gateway {

  private Gateway() {}

  /**
   * Serves on loopback.
   *
   * @param arguments usherd's target and the port to serve on
   * @throws Exception when Jetty does not start
   */
  public static void main(String[] arguments) throws Exception {
    try (var usherd = UsherClient.builder(arguments[0]).cache(DecisionCache.ofSize(10_000)).build()) {
      FilterHolder filter = new FilterHolder(new UsherFilter(usherd, RequestReader.defaults()));
      filter.setAsyncSupported(true);
      ServletContextHandler context = new ServletContextHandler("/");
      context.addFilter(filter, "/*", EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC));
      context.addServlet(new ServletHolder(new Completions()), "/v1/chat/completions");
      Server server = new Server();
      ServerConnector connector = new ServerConnector(server);
      connector.setHost("127.0.0.1");
      connector.setPort(Integer.parseInt(arguments[1]));
      server.addConnector(connector);
      server.setHandler(context);
      server.start();
      server.join();
    }
  }

  private static final class Completions extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
      Decision decision = UsherFilter.decisionOf(request).orElseThrow();
      response.setContentType("application/json");
      response.getWriter().print("{\"model\":\"" + decision.resolvedModel() + "\"}");
    }
  }
}
