package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.usherd.v1.Code;
import dev.usherd.v1.Fault;
import dev.usherd.v1.FaultReason;
import dev.usherd.v1.Resync;
import dev.usherd.v1.StreamTerms;
import dev.usherd.v1.SubscribeResponse;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What the stream has no answer for is asked by itself. */
class CacheByItselfTest extends CacheTestCase {

  @Test
  void while_there_is_no_stream_each_question_is_asked_by_itself() throws Exception {
    client = UsherClient.builder(server.target()).cache(DecisionCache.enabled()).build();
    stream = server.stream();
    assertEquals("single", client.authorize(Q).decisionId());
    assertEquals("single", client.authorize(Q).decisionId());
    assertEquals(2, server.asked.get());
    assertEquals(2, client.cacheStatistics().askedByItself());
    // One of them was added all the same, so that the stream says how it is served.
    long id = stream.added().getId();
    stream.say(Messages.told(id, Messages.allow("a")).toBuilder().setTerms(Messages.terms(60_000)).build());
    assertServedSoon(Q, "a");
  }

  @Test
  void a_stream_that_does_not_say_how_it_is_served_is_not_used() throws Exception {
    client = UsherClient.builder(server.target()).cache(DecisionCache.enabled()).build();
    for (StreamTerms each :
        List.of(
            StreamTerms.getDefaultInstance(),
            Messages.terms(0),
            Messages.terms(5000).toBuilder().setMode(dev.usherd.v1.Mode.MODE_ONCE).build(),
            Messages.terms(5000).toBuilder().setModeValue(7).build())) {
      ScriptedServer.Subscribed opened = server.stream();
      opened.say(Messages.checkpoint().toBuilder().setTerms(each).build());
      Eventually.holds("it is let go", () -> opened.cancelled);
    }
    assertFalse(client.cacheIsOpen());
    assertEquals("single", client.authorize(Q).decisionId());
  }

  @Test
  void a_subscription_that_is_refused_for_want_of_room_is_asked_by_itself() throws Exception {
    open(10, 60_000);
    CompletableFuture<Decision> answer = client.authorizeAsync(Q);
    stream.say(fault(stream.added().getId(), Code.CODE_RESOURCE_EXHAUSTED, FaultReason.FAULT_REASON_OVERLOADED));
    assertEquals("single", answer.get(5, TimeUnit.SECONDS).decisionId());
    assertGone(Q);
  }

  @Test
  void any_other_fault_is_the_answer() throws Exception {
    open(10, 60_000);
    CompletableFuture<Decision> answer = client.authorizeAsync(Q);
    stream.say(fault(stream.added().getId(), Code.CODE_UNAVAILABLE, FaultReason.FAULT_REASON_KEYS_UNAVAILABLE));
    ExecutionException failed = assertThrows(ExecutionException.class, () -> answer.get(5, TimeUnit.SECONDS));
    UsherFault fault = (UsherFault) failed.getCause();
    assertEquals(UsherFault.Kind.UNAVAILABLE, fault.kind());
    assertEquals("KEYS_UNAVAILABLE", fault.reason());
    assertEquals(0, server.asked.get());
    assertGone(Q);
  }

  @Test
  void a_subscription_that_ends_before_its_decision_is_asked_by_itself() throws Exception {
    open(10, 60_000);
    for (SubscribeResponse.Builder each :
        List.of(
            SubscribeResponse.newBuilder().setResync(Resync.getDefaultInstance()),
            SubscribeResponse.newBuilder(),
            Messages.changed(0, "", Messages.allow("a")).toBuilder(),
            Messages.ended(0, "").toBuilder())) {
      CompletableFuture<Decision> answer = client.authorizeAsync(Q);
      stream.say(each.setId(stream.added().getId()).build());
      assertEquals("single", answer.get(5, TimeUnit.SECONDS).decisionId());
      stream.requests.clear();
    }
  }

  private static SubscribeResponse fault(long id, Code code, FaultReason reason) {
    return SubscribeResponse.newBuilder()
        .setId(id)
        .setFault(Fault.newBuilder().setCode(code).setReason(reason).setMessage("secret"))
        .build();
  }
}
