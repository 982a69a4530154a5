package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.usherd.v1.Resync;
import dev.usherd.v1.SubscribeResponse;
import io.grpc.Context;
import io.grpc.Status;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Nothing is served that a lost or silent stream told. */
class CacheStreamTest extends CacheTestCase {

  @Test
  void everything_is_gone_when_the_stream_is() throws Exception {
    open(10, 60_000);
    List<Runnable> ends =
        List.of(
            () -> stream.say(SubscribeResponse.newBuilder().setResync(Resync.getDefaultInstance()).build()),
            () -> stream.out.onCompleted(),
            () -> stream.out.onError(Status.UNAVAILABLE.asRuntimeException()),
            () -> stream.say(SubscribeResponse.newBuilder().setUnknownFields(unknownEvent()).build()),
            () -> stream.say(SubscribeResponse.getDefaultInstance()));
    int lost = 0;
    for (Runnable each : ends) {
      keep(Q, Messages.allow("a"));
      assertServed(Q, "a");
      CompletableFuture<Decision> underWay = client.authorizeAsync(question(1));
      stream.added();
      each.run();
      int expected = ++lost;
      Eventually.holds("it is lost", () -> client.cacheStatistics().streamsLost() == expected);
      assertEquals("single", underWay.get(5, TimeUnit.SECONDS).decisionId());
      assertEquals("single", client.authorize(Q).decisionId());
      reopened(60_000);
    }
    assertEquals(0, client.cacheStatistics().silences());
  }

  @Test
  void nothing_is_served_after_a_silence_and_the_stream_is_over() throws Exception {
    open(10, 5_000);
    keep(Q, Messages.allow("a"));
    ahead.set(TimeUnit.MILLISECONDS.toNanos(5_100));
    assertEquals("single", client.authorize(Q).decisionId());
    assertEquals(1, client.cacheStatistics().silences());
    assertEquals(1, client.cacheStatistics().streamsLost());
    Eventually.holds("it is let go", () -> stream.cancelled);
    reopened(5_000);
    keep(Q, Messages.allow("b"));
  }

  @Test
  void what_was_told_before_this_machine_slept_is_served_no_more_although_its_steady_clock_stood_still()
      throws Exception {
    open(10, 5_000);
    keep(Q, Messages.allow("a"));
    wallAhead.set(5_100);
    assertEquals("single", client.authorize(Q).decisionId());
    assertEquals(1, client.cacheStatistics().silences());
  }

  @Test
  void a_silence_is_noticed_without_a_question() throws Exception {
    open(10, 150);
    keep(Q, Messages.allow("a"));
    Eventually.holds("it is noticed", () -> client.cacheStatistics().silences() == 1);
    assertEquals(0, client.cacheStatistics().entries());
  }

  @Test
  void a_stream_that_speaks_again_after_a_silence_is_over_all_the_same() throws Exception {
    open(10, 5_000);
    keep(Q, Messages.allow("a"));
    ahead.set(TimeUnit.MILLISECONDS.toNanos(5_100));
    stream.say(Messages.checkpoint());
    Eventually.holds("it is noticed", () -> client.cacheStatistics().silences() == 1);
    assertEquals("single", client.authorize(Q).decisionId());
  }

  @Test
  void checkpoints_keep_a_stream_in_use() throws Exception {
    open(10, 400);
    keep(Q, Messages.allow("a"));
    for (int each = 0; each < 8; each++) {
      Thread.sleep(100);
      stream.say(Messages.checkpoint());
    }
    assertServed(Q, "a");
    assertEquals(0, client.cacheStatistics().silences());
  }

  @Test
  void a_closed_client_answers_with_a_fault() throws Exception {
    open(10, 60_000);
    keep(Q, Messages.allow("a"));
    CompletableFuture<Decision> underWay = client.authorizeAsync(question(1));
    client.close();
    ExecutionException failed = assertThrows(ExecutionException.class, () -> underWay.get(5, TimeUnit.SECONDS));
    assertEquals(UsherFault.Kind.CLOSED, ((UsherFault) failed.getCause()).kind());
    UsherFault fault = assertThrows(UsherFault.class, () -> client.authorize(Q));
    assertEquals(UsherFault.Kind.CLOSED, fault.kind());
  }

  @Test
  void the_stream_does_not_end_with_the_call_that_its_client_was_made_in() throws Exception {
    Context.CancellableContext served = Context.current().withCancellation();
    served.call(
        () -> {
          open(10, 60_000);
          return null;
        });
    keep(Q, Messages.allow("a"));
    served.cancel(null);
    keep(question(1), Messages.allow("b"));
    assertServed(Q, "a");
    assertEquals(0, client.cacheStatistics().streamsLost());
  }
}
