package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Timestamp;
import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Cause;
import dev.usherd.v1.Changed;
import dev.usherd.v1.Checkpoint;
import dev.usherd.v1.Ended;
import dev.usherd.v1.Expiring;
import dev.usherd.v1.Mode;
import dev.usherd.v1.Resync;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WatchTest {

  private static final Question Q = Question.builder("t", "/v1/chat/completions").model("m").build();

  private final BlockingQueue<StreamObserver<AuthorizeResponse>> calls = new LinkedBlockingQueue<>();
  private final BlockingQueue<WatchEvent> events = new LinkedBlockingQueue<>();
  private final BlockingQueue<UsherFault> faults = new LinkedBlockingQueue<>();
  private final AtomicLong ahead = new AtomicLong();
  private final AtomicLong slept = new AtomicLong();
  private ScriptedServer server;
  private UsherClient client;
  private Watching watching;

  private final WatchListener listener =
      new WatchListener() {
        @Override
        public void onEvent(WatchEvent event) {
          events.add(event);
        }

        @Override
        public void onFault(UsherFault fault) {
          faults.add(fault);
        }
      };

  @BeforeEach
  void start() throws Exception {
    Warm.up();
    server = new ScriptedServer();
    server.authorize =
        (request, out) -> {
          // What is said to a call that is over is lost, and no error of a test.
          ((ServerCallStreamObserver<AuthorizeResponse>) out).setOnCancelHandler(() -> {});
          calls.add(out);
        };
    client =
        UsherClient.builder(server.target())
            .clocks(new Clocks(() -> System.nanoTime() + ahead.get(), () -> System.currentTimeMillis() + slept.get()))
            .build();
  }

  @AfterEach
  void end() {
    client.close();
    server.close();
  }

  private StreamObserver<AuthorizeResponse> call() throws InterruptedException {
    StreamObserver<AuthorizeResponse> call = calls.poll(5, TimeUnit.SECONDS);
    assertNotNull(call, "nothing was asked");
    return call;
  }

  private <T extends WatchEvent> T event(Class<T> kind) throws InterruptedException {
    WatchEvent event = events.poll(5, TimeUnit.SECONDS);
    return assertInstanceOf(kind, event);
  }

  /** Watches, and is told a first decision on a stream that may be silent for so long. */
  private StreamObserver<AuthorizeResponse> watched(dev.usherd.v1.Decision first, long silence) throws Exception {
    watching = client.watch(Q, listener);
    StreamObserver<AuthorizeResponse> out = call();
    out.onNext(Messages.living(first, silence));
    assertEquals(first.getDecisionId(), event(WatchEvent.Decided.class).decision().decisionId());
    return out;
  }

  private static AuthorizeResponse changed(dev.usherd.v1.Decision decision) {
    return AuthorizeResponse.newBuilder()
        .setChanged(Changed.newBuilder().setDecision(decision).setCause(Cause.CAUSE_DIRECTORY))
        .build();
  }

  private static AuthorizeResponse ended(dev.usherd.v1.Decision decision) {
    return AuthorizeResponse.newBuilder()
        .setEnded(Ended.newBuilder().setDecision(decision).setCause(Cause.CAUSE_TOKEN_REVOKED))
        .build();
  }

  private void assertNothingMore() throws InterruptedException {
    assertNull(events.poll(80, TimeUnit.MILLISECONDS));
  }

  @Test
  void it_asks_in_mode_watch_and_tells_what_becomes_of_the_decision() throws Exception {
    StreamObserver<AuthorizeResponse> out = watched(Messages.allow("a"), 60_000);
    assertEquals(Mode.MODE_WATCH, server.requests.take().getMode());
    out.onNext(AuthorizeResponse.newBuilder().setCheckpoint(Checkpoint.getDefaultInstance()).build());
    out.onNext(changed(Messages.deny("b")));
    WatchEvent.Changed changed = event(WatchEvent.Changed.class);
    assertFalse(changed.allowed());
    assertEquals("DIRECTORY", changed.cause());
    out.onNext(changed(Messages.allow("c")));
    assertTrue(event(WatchEvent.Changed.class).allowed());
    out.onNext(
        AuthorizeResponse.newBuilder()
            .setExpiring(
                Expiring.newBuilder()
                    .setEndsAt(Timestamp.newBuilder().setSeconds(1_900_000_000))
                    .setCause(Cause.CAUSE_TOKEN_EXPIRED))
            .build());
    WatchEvent.Expiring expiring = event(WatchEvent.Expiring.class);
    assertEquals(Instant.ofEpochSecond(1_900_000_000), expiring.endsAt());
    assertTrue(expiring.allowed());
    out.onNext(ended(Messages.deny("d")));
    out.onCompleted();
    WatchEvent.Ended ended = event(WatchEvent.Ended.class);
    assertEquals("TOKEN_REVOKED", ended.cause());
    assertEquals("d", ended.holding().orElseThrow().decisionId());
    assertNothingMore();
    assertEquals(1, server.asked.get());
  }

  @Test
  void a_first_answer_that_is_a_fault_ends_it() throws Exception {
    client.watch(Q, listener);
    call().onError(Status.UNAUTHENTICATED.asRuntimeException());
    assertEquals(UsherFault.Kind.CALLER_UNKNOWN, faults.poll(5, TimeUnit.SECONDS).kind());
    assertNothingMore();
  }

  @Test
  void a_first_answer_that_does_not_come_in_time_ends_it() throws Exception {
    client.watch(Q, AskOptions.defaults().deadline(Duration.ofMillis(100)), listener);
    call();
    assertEquals(UsherFault.Kind.OUT_OF_TIME, faults.poll(5, TimeUnit.SECONDS).kind());
  }

  @Test
  void first_answers_that_are_none_by_the_contract_end_it() throws Exception {
    for (AuthorizeResponse each :
        List.of(
            AuthorizeResponse.getDefaultInstance(),
            changed(Messages.allow("a")),
            Messages.living(Messages.allow("a").toBuilder().setEffectValue(5).build(), 1000),
            Messages.living(Messages.allow("a"), 0),
            Messages.living(Messages.allow("a"), 1000).toBuilder()
                .setTerms(Messages.terms(1000).toBuilder().setModeValue(7))
                .build())) {
      client.watch(Q, listener);
      call().onNext(each);
      assertEquals(UsherFault.Kind.BAD_ANSWER, faults.poll(5, TimeUnit.SECONDS).kind());
    }
    assertNothingMore();
  }

  @Test
  void a_stream_that_is_lost_is_asked_for_again_and_the_same_answer_is_not_told() throws Exception {
    StreamObserver<AuthorizeResponse> out = watched(Messages.allow("a"), 60_000);
    for (int each = 0; each < 3; each++) {
      out.onError(Status.UNAVAILABLE.asRuntimeException());
      out = call();
      out.onNext(Messages.living(Messages.allow("again"), 60_000));
    }
    assertNothingMore();
    out.onNext(changed(Messages.deny("b")));
    assertEquals("b", event(WatchEvent.Changed.class).decision().decisionId());
  }

  @Test
  void a_stream_that_ends_without_a_word_or_with_one_that_is_unknown_is_asked_for_again() throws Exception {
    StreamObserver<AuthorizeResponse> out = watched(Messages.allow("a"), 60_000);
    out.onCompleted();
    out = call();
    out.onNext(Messages.living(Messages.allow("again"), 60_000));
    for (AuthorizeResponse each :
        List.of(
            AuthorizeResponse.newBuilder().setResync(Resync.getDefaultInstance()).build(),
            AuthorizeResponse.getDefaultInstance(),
            Messages.living(Messages.allow("second"), 60_000),
            changed(Messages.allow("x").toBuilder().setEffectValue(9).build()),
            ended(Messages.allow("no denial")))) {
      out.onNext(each);
      out = call();
      out.onNext(Messages.living(Messages.allow("again"), 60_000));
    }
    assertNothingMore();
  }

  @Test
  void a_denial_in_answer_to_asking_again_is_a_change_and_an_allowance_is_decided_again() throws Exception {
    StreamObserver<AuthorizeResponse> out = watched(Messages.allow("a"), 60_000);
    out.onCompleted();
    out = call();
    out.onNext(Messages.living(Messages.deny("b"), 60_000));
    assertEquals("b", event(WatchEvent.Changed.class).decision().decisionId());
    out.onCompleted();
    call().onNext(Messages.living(Messages.allow("c"), 60_000));
    assertEquals("c", event(WatchEvent.Decided.class).decision().decisionId());
  }

  @Test
  void what_cannot_be_learned_before_the_silence_is_over_is_unknown() throws Exception {
    StreamObserver<AuthorizeResponse> out = watched(Messages.allow("a"), 400);
    long lost = System.nanoTime();
    server.authorize = (request, again) -> again.onError(Status.UNAVAILABLE.asRuntimeException());
    out.onError(Status.UNAVAILABLE.asRuntimeException());
    WatchEvent.Unknown unknown = event(WatchEvent.Unknown.class);
    assertNotNull(unknown.fault());
    assertFalse(unknown.allowed());
    long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - lost);
    assertTrue(took >= 250 && took < 2000, "after " + took + " ms");
    assertTrue(server.asked.get() > 3);
    assertNothingMore();
  }

  @Test
  void an_allowance_is_not_held_beyond_its_validity_while_nobody_answers() throws Exception {
    Instant soon = Instant.now().plusMillis(300);
    StreamObserver<AuthorizeResponse> out =
        watched(
            Messages.allow("a").toBuilder()
                .setValidUntil(
                    Timestamp.newBuilder().setSeconds(soon.getEpochSecond()).setNanos(soon.getNano()))
                .build(),
            60_000);
    server.authorize = (request, again) -> {};
    out.onError(Status.UNAVAILABLE.asRuntimeException());
    event(WatchEvent.Unknown.class);
    assertTrue(Instant.now().isAfter(soon.minusMillis(2)));
    assertTrue(Instant.now().isBefore(soon.plusSeconds(1)));
  }

  @Test
  void a_silent_stream_is_unknown() throws Exception {
    watched(Messages.allow("a"), 200);
    event(WatchEvent.Unknown.class);
  }

  @Test
  void a_watch_is_unknown_soon_after_this_machine_slept_although_nothing_is_said() throws Exception {
    watched(Messages.allow("a"), 60_000);
    slept.set(61_000);
    event(WatchEvent.Unknown.class);
  }

  @Test
  void what_is_left_of_max_silence_after_this_machine_slept_is_not_begun_anew() throws Exception {
    watched(Messages.allow("a"), 60_000);
    slept.set(59_000);
    event(WatchEvent.Unknown.class);
  }

  @Test
  void a_stream_that_speaks_again_after_a_silence_is_not_believed() throws Exception {
    StreamObserver<AuthorizeResponse> out = watched(Messages.allow("a"), 5_000);
    ahead.set(TimeUnit.MILLISECONDS.toNanos(5_100));
    out.onNext(changed(Messages.allow("old")));
    event(WatchEvent.Unknown.class);
    assertNothingMore();
  }

  @Test
  void a_server_that_answers_once_is_asked_again() throws Exception {
    watching = client.watch(Q, listener);
    dev.usherd.v1.Decision soon =
        Messages.allow("a").toBuilder()
            .setValidUntil(Timestamp.newBuilder().setSeconds(Instant.now().getEpochSecond() + 2))
            .build();
    StreamObserver<AuthorizeResponse> out = call();
    out.onNext(Messages.once(soon));
    assertNothingMore();
    out.onCompleted();
    event(WatchEvent.Decided.class);
    out = call();
    out.onNext(Messages.once(Messages.deny("b")));
    out.onCompleted();
    assertEquals("b", event(WatchEvent.Changed.class).decision().decisionId());
  }

  @Test
  void an_answer_once_whose_call_does_not_end_with_ok_is_none() throws Exception {
    client.watch(Q, listener);
    StreamObserver<AuthorizeResponse> out = call();
    out.onNext(Messages.once(Messages.allow("a")));
    out.onError(Status.INTERNAL.asRuntimeException());
    assertEquals(UsherFault.Kind.INTERNAL, faults.poll(5, TimeUnit.SECONDS).kind());
    assertNothingMore();
  }

  @Test
  void closing_it_ends_the_call_and_tells_nothing_more() throws Exception {
    StreamObserver<AuthorizeResponse> out = watched(Messages.allow("a"), 60_000);
    watching.close();
    Eventually.holds("the call ends", () -> ((ServerCallStreamObserver<AuthorizeResponse>) out).isCancelled());
    assertNothingMore();
  }

  @Test
  void closing_the_client_makes_it_unknown() throws Exception {
    watched(Messages.allow("a"), 60_000);
    client.close();
    assertEquals(UsherFault.Kind.CLOSED, event(WatchEvent.Unknown.class).fault().kind());
  }

  @Test
  void a_listener_that_keeps_too_much_waiting_is_told_that_it_is_unknown() throws Exception {
    CountDownLatch told = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    watching =
        client.watch(
            Q,
            event -> {
              told.countDown();
              try {
                go.await();
              } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
              }
              events.add(event);
            });
    StreamObserver<AuthorizeResponse> out = call();
    out.onNext(Messages.living(Messages.allow("a"), 60_000));
    // What nobody has been told yet would be dropped with the rest.
    assertTrue(told.await(20, TimeUnit.SECONDS));
    ServerCallStreamObserver<AuthorizeResponse> stream = (ServerCallStreamObserver<AuthorizeResponse>) out;
    for (int each = 0; each < 200 && !stream.isCancelled(); each++) {
      out.onNext(changed(Messages.allow("c" + each)));
    }
    Eventually.holds("the call ends", stream::isCancelled);
    go.countDown();
    event(WatchEvent.Decided.class);
    event(WatchEvent.Unknown.class);
    assertNothingMore();
  }

  @Test
  void a_listener_that_throws_is_told_the_next_event_all_the_same() throws Exception {
    client.watch(
        Q,
        event -> {
          events.add(event);
          if (event instanceof WatchEvent.Decided) {
            Thread.currentThread().setUncaughtExceptionHandler((thread, thrown) -> {});
            throw new IllegalStateException("theirs");
          }
        });
    StreamObserver<AuthorizeResponse> out = call();
    out.onNext(Messages.living(Messages.allow("a"), 60_000));
    event(WatchEvent.Decided.class);
    out.onNext(changed(Messages.deny("b")));
    event(WatchEvent.Changed.class);
  }

  @Test
  void a_listener_that_throws_an_error_is_told_the_denial_all_the_same() throws Exception {
    client.watch(
        Q,
        event -> {
          events.add(event);
          if (event instanceof WatchEvent.Decided) {
            Thread.currentThread()
                .setUncaughtExceptionHandler(
                    (thread, thrown) -> {
                      throw new IllegalStateException("theirs, too");
                    });
            throw new StackOverflowError("theirs");
          }
        });
    StreamObserver<AuthorizeResponse> out = call();
    out.onNext(Messages.living(Messages.allow("a"), 60_000));
    event(WatchEvent.Decided.class);
    out.onNext(changed(Messages.deny("b")));
    event(WatchEvent.Changed.class);
  }

  @Test
  void who_watches_with_a_closed_client_hears_that_nothing_is_known() throws Exception {
    client.close();
    client.watch(Q, listener);
    Eventually.holds("it is told", () -> !faults.isEmpty() || !events.isEmpty());
    assertTrue(events.stream().noneMatch(WatchEvent::allowed));
  }

  @Test
  void requests_have_the_question_and_the_options() throws Exception {
    client.watch(Q, AskOptions.defaults().requestId("r1"), listener);
    AuthorizeRequest request = server.requests.take();
    assertEquals("r1", request.getOptions().getRequestId());
    assertEquals("t", request.getQuestion().getToken());
  }
}
