package dev.usherd.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Duration;
import dev.usherd.v1.AuthorizationServiceGrpc;
import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Decision;
import dev.usherd.v1.Effect;
import dev.usherd.v1.Ended;
import dev.usherd.v1.Mode;
import dev.usherd.v1.Principal;
import dev.usherd.v1.PrincipalKind;
import dev.usherd.v1.Reason;
import dev.usherd.v1.StreamTerms;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The examples run, against a server on loopback that knows alice. */
class ExamplesTest {

  private static final class Usherd extends AuthorizationServiceGrpc.AuthorizationServiceImplBase {
    @Override
    public void authorize(AuthorizeRequest request, StreamObserver<AuthorizeResponse> out) {
      boolean alice = request.getQuestion().getToken().equals("alice");
      AuthorizeResponse.Builder first = AuthorizeResponse.newBuilder().setDecision(alice ? allowed() : denied());
      if (request.getMode() != Mode.MODE_WATCH) {
        out.onNext(first.setTerms(StreamTerms.newBuilder().setMode(Mode.MODE_ONCE)).build());
        out.onCompleted();
        return;
      }
      Duration silence = Duration.newBuilder().setSeconds(15).build();
      out.onNext(first.setTerms(StreamTerms.newBuilder().setMode(Mode.MODE_WATCH).setMaxSilence(silence)).build());
      out.onNext(AuthorizeResponse.newBuilder().setEnded(Ended.newBuilder().setDecision(denied())).build());
      out.onCompleted();
    }

    private static Decision allowed() {
      return Decision.newBuilder()
          .setEffect(Effect.EFFECT_ALLOW)
          .setReason(Reason.REASON_ALLOWED)
          .setHttpStatus(200)
          .setResolvedModel("gpt-4o")
          .setPrincipal(Principal.newBuilder().setKind(PrincipalKind.PRINCIPAL_KIND_USER))
          .build();
    }

    private static Decision denied() {
      return Decision.newBuilder()
          .setEffect(Effect.EFFECT_DENY)
          .setReason(Reason.REASON_TOKEN_REVOKED)
          .setHttpStatus(401)
          .setMessage("The token is revoked.")
          .build();
    }
  }

  private Server usherd;
  private String target;

  @BeforeEach
  void start() throws IOException {
    usherd = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create()).addService(new Usherd()).build().start();
    target = "127.0.0.1:" + usherd.getPort();
  }

  @AfterEach
  void end() {
    usherd.shutdownNow();
  }

  /** What a program writes. */
  private static String written(Program program) throws Exception {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (PrintStream captured = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
      System.setOut(captured);
      program.run();
    } finally {
      System.setOut(before);
    }
    return bytes.toString(StandardCharsets.UTF_8).replace("\r\n", "\n");
  }

  private interface Program {
    void run() throws Exception;
  }

  @Test
  void ask_tells_an_allowance_a_denial_and_a_fault_apart() throws Exception {
    assertEquals("call gpt-4o\n", written(() -> Ask.main(new String[] {target, "alice"})));
    assertEquals("answer 401: The token is revoked.\n", written(() -> Ask.main(new String[] {target, "bob"})));
    usherd.shutdownNow().awaitTermination();
    assertEquals("answer 503: UNAVAILABLE\n", written(() -> Ask.main(new String[] {target, "alice"})));
  }

  @Test
  void the_agent_stops_when_it_is_not_allowed_any_more() throws Exception {
    assertEquals(
        "Decided\nEnded\nnot allowed any more\n", written(() -> Agent.main(new String[] {target, "alice"})));
  }

  @Test
  void the_gateway_serves_what_is_allowed_and_answers_what_is_not() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    Thread gateway =
        new Thread(
            () -> {
              try {
                Gateway.main(new String[] {target, Integer.toString(port)});
              } catch (Exception ended) {
                // It is interrupted.
              }
            });
    gateway.setDaemon(true);
    gateway.start();
    HttpResponse<String> served = null;
    for (int each = 0; each < 400 && served == null; each++) {
      try {
        served = sent(port, "alice");
      } catch (IOException notYet) {
        Thread.sleep(25);
      }
    }
    for (int each = 0; each < 10 && served != null && served.statusCode() == 503; each++) {
      // The first call of this process has to load what calls are made of.
      served = sent(port, "alice");
    }
    assertEquals("{\"model\":\"gpt-4o\"}", served.body());
    HttpResponse<String> refused = sent(port, "bob");
    assertEquals(401, refused.statusCode());
    assertTrue(refused.body().contains("token_revoked"), refused.body());
    gateway.interrupt();
  }

  private static HttpResponse<String> sent(int port, String token) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/v1/chat/completions"))
                .header("authorization", "Bearer " + token)
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"model\":\"gpt-4o\"}"))
                .build(),
            HttpResponse.BodyHandlers.ofString());
  }
}
