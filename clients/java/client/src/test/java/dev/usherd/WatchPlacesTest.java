package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Cause;
import dev.usherd.v1.Ended;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** However the call of a watch ends, its place on a connection is given back. */
class WatchPlacesTest {

  private static final Question Q = Question.builder("t", "/v1/chat/completions").model("m").build();
  private static final AskOptions ROOMY = AskOptions.defaults().deadline(Duration.ofSeconds(20));

  private final BlockingQueue<StreamObserver<AuthorizeResponse>> calls = new LinkedBlockingQueue<>();
  private final Heard told = new Heard();
  private ScriptedServer server;
  private UsherClient client;

  @BeforeEach
  void start() throws Exception {
    Warm.up();
    server = new ScriptedServer();
    server.authorize =
        (request, out) -> {
          ((ServerCallStreamObserver<AuthorizeResponse>) out).setOnCancelHandler(() -> {});
          calls.add(out);
        };
    client = UsherClient.builder(server.target()).build();
  }

  @AfterEach
  void end() {
    client.close();
    server.close();
  }

  private StreamObserver<AuthorizeResponse> call() throws InterruptedException {
    StreamObserver<AuthorizeResponse> call = calls.poll(5, TimeUnit.SECONDS);
    assertNotNull(call, "nothing was asked");
    assertEquals(List.of(1), client.watchCalls());
    return call;
  }

  private <T> T next(Class<T> kind) throws InterruptedException {
    return assertInstanceOf(kind, told.all.poll(5, TimeUnit.SECONDS));
  }

  private void isGivenBack() throws Exception {
    Eventually.holds("the place is given back", () -> client.watchCalls().equals(List.of(0)));
  }

  private StreamObserver<AuthorizeResponse> begun(long silence) throws Exception {
    StreamObserver<AuthorizeResponse> out = call();
    out.onNext(Messages.living(Messages.allow("a"), silence));
    next(WatchEvent.Decided.class);
    return out;
  }

  @Test
  void by_a_fault_at_first() throws Exception {
    client.watch(Q, ROOMY, told);
    call().onError(Status.UNAUTHENTICATED.asRuntimeException());
    next(UsherFault.class);
    isGivenBack();
  }

  @Test
  void by_a_deadline() throws Exception {
    client.watch(Q, AskOptions.defaults().deadline(Duration.ofMillis(200)), told);
    assertEquals(UsherFault.Kind.OUT_OF_TIME, next(UsherFault.class).kind());
    isGivenBack();
  }

  @Test
  void by_its_last_event() throws Exception {
    client.watch(Q, ROOMY, told);
    begun(60_000)
        .onNext(
            AuthorizeResponse.newBuilder()
                .setEnded(Ended.newBuilder().setDecision(Messages.deny("b")).setCause(Cause.CAUSE_TOKEN_REVOKED))
                .build());
    next(WatchEvent.Ended.class);
    isGivenBack();
  }

  @Test
  void by_silence() throws Exception {
    client.watch(Q, ROOMY, told);
    begun(200);
    next(WatchEvent.Unknown.class);
    isGivenBack();
  }

  @Test
  void by_whoever_closes_it() throws Exception {
    Watching before = client.watch(Q, ROOMY, told);
    call();
    before.close();
    isGivenBack();
    Watching meanwhile = client.watch(Q, ROOMY, told);
    begun(60_000);
    meanwhile.close();
    isGivenBack();
  }

  @Test
  void by_a_break_however_often_it_is_asked_again() throws Exception {
    Watching watching = client.watch(Q, ROOMY, told);
    StreamObserver<AuthorizeResponse> out = begun(60_000);
    for (int each = 0; each < 8; each++) {
      if (each % 2 == 0) {
        out.onCompleted();
      } else {
        out.onError(Status.INTERNAL.asRuntimeException());
      }
      out = call();
      out.onNext(Messages.living(Messages.allow("a"), 60_000));
    }
    watching.close();
    isGivenBack();
  }

  @Test
  void by_closing_the_client_which_tells_whoever_listens_and_whoever_comes_later() throws Exception {
    client.watch(Q, ROOMY, told);
    begun(60_000);
    client.close();
    assertEquals(UsherFault.Kind.CLOSED, next(WatchEvent.Unknown.class).fault().kind());
    assertEquals(List.of(), client.watchCalls());
    client.watch(Q, ROOMY, told);
    assertEquals(UsherFault.Kind.CLOSED, next(UsherFault.class).kind());
    assertEquals(List.of(), client.watchCalls());
  }

  @Test
  void a_watch_that_cannot_begin_is_a_fault_and_not_silence() throws Exception {
    ScheduledExecutorService timers = Executors.newSingleThreadScheduledExecutor();
    try {
      Wire wire = new Wire(null, new Bearer(null));
      WatchChannels broken =
          new WatchChannels(
              () -> {
                throw new IllegalStateException();
              },
              each -> wire);
      Turns turns = new Turns(System::nanoTime);
      new Watch(wire, broken, turns, Clocks.REAL, timers, timers, Q, ROOMY, told, over -> {}).begin();
      assertEquals(UsherFault.Kind.INTERNAL, next(UsherFault.class).kind());
    } finally {
      timers.shutdownNow();
    }
  }
}
