package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Timestamp;
import dev.usherd.v1.Code;
import dev.usherd.v1.Dependency;
import dev.usherd.v1.Effect;
import dev.usherd.v1.Expiring;
import dev.usherd.v1.Fault;
import dev.usherd.v1.Resync;
import dev.usherd.v1.SubscribeResponse;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What is told of an entry puts another one in its place, or takes it away. */
class CacheEntriesTest extends CacheTestCase {

  @Test
  void what_may_not_be_kept_is_removed_from_the_stream() throws Exception {
    open(10, 60_000);
    List<dev.usherd.v1.Decision> unkept =
        List.of(
            Messages.allow("a").toBuilder().setCacheable(false).build(),
            Messages.allow("b").toBuilder().clearValidUntil().build(),
            Messages.allow("c").toBuilder().setValidUntil(Timestamp.newBuilder().setSeconds(1)).build(),
            Messages.allow("d").toBuilder().setValidUntil(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE)).build(),
            Messages.allow("e").toBuilder().addDependsOn(Dependency.newBuilder().setKindValue(99)).build(),
            Messages.allow("f").toBuilder().addDependsOn(Dependency.getDefaultInstance()).build());
    for (dev.usherd.v1.Decision each : unkept) {
      long id = keep(Q, each);
      assertEquals(id, stream.removed());
    }
    assertEquals(0, client.cacheStatistics().entries());
  }

  @Test
  void a_decision_that_is_none_by_the_contract_is_a_fault_and_is_not_kept() throws Exception {
    open(10, 60_000);
    for (dev.usherd.v1.Decision each :
        List.of(
            Messages.allow("a").toBuilder().setEffectValue(7).build(),
            Messages.allow("b").toBuilder().setReasonValue(9).build(),
            Messages.allow("c").toBuilder().setReasonValue(62).build(),
            Messages.deny("d").toBuilder().setReasonValue(1).build(),
            Messages.allow("e").toBuilder().clearPrincipal().build(),
            Messages.allow("f").toBuilder().setEffect(Effect.EFFECT_UNSPECIFIED).build())) {
      CompletableFuture<Decision> answer = client.authorizeAsync(Q);
      long id = stream.added().getId();
      stream.say(Messages.told(id, each));
      ExecutionException fault = assertThrows(ExecutionException.class, () -> answer.get(5, TimeUnit.SECONDS));
      assertEquals(UsherFault.Kind.BAD_ANSWER, ((UsherFault) fault.getCause()).kind());
      assertEquals(id, stream.removed());
    }
  }

  @Test
  void changed_puts_the_new_decision_in_its_place() throws Exception {
    open(10, 60_000);
    long id = keep(Q, Messages.allow("a"));
    stream.say(Messages.changed(id, "a", Messages.deny("b")));
    Eventually.holds("it is heard", () -> client.cacheStatistics().changed() == 1);
    assertServed(Q, "b");
    stream.say(Messages.changed(id, "b", Messages.allow("c")));
    Eventually.holds("it is heard", () -> client.cacheStatistics().changed() == 2);
    assertServed(Q, "c");
  }

  @Test
  void changed_to_what_may_not_be_kept_puts_nothing_in_its_place() throws Exception {
    open(10, 60_000);
    long id = keep(Q, Messages.allow("a"));
    stream.say(Messages.changed(id, "a", Messages.allow("b").toBuilder().setCacheable(false).build()));
    assertEquals(id, stream.removed());
    assertGone(Q);
  }

  @Test
  void ended_takes_the_entry_away() throws Exception {
    open(10, 60_000);
    long id = keep(Q, Messages.allow("a"));
    stream.say(Messages.ended(id, "a"));
    Eventually.holds("it is heard", () -> client.cacheStatistics().ended() == 1);
    assertEquals(0, client.cacheStatistics().entries());
    assertGone(Q);
  }

  @Test
  void whatever_else_is_told_of_an_entry_takes_it_away() throws Exception {
    open(10, 60_000);
    SubscribeResponse.Builder of = SubscribeResponse.newBuilder();
    List<SubscribeResponse.Builder> events =
        List.of(
            of.clone().setDecisionId("a").setResync(Resync.getDefaultInstance()),
            of.clone().setDecisionId("a").setFault(Fault.newBuilder().setCode(Code.CODE_UNAVAILABLE)),
            of.clone().setDecisionId("a"),
            of.clone().setDecisionId("a").setUnknownFields(unknownEvent()),
            of.clone().setDecisionId("b").setExpiring(Expiring.getDefaultInstance()),
            of.clone().setDecisionId("a").setDecision(Messages.allow("a")),
            Messages.changed(0, "x", Messages.allow("b")).toBuilder(),
            Messages.changed(0, "a", Messages.allow("b").toBuilder().setEffectValue(9).build()).toBuilder(),
            Messages.ended(0, "x").toBuilder());
    for (SubscribeResponse.Builder each : events) {
      long id = keep(Q, Messages.allow("a"));
      assertServed(Q, "a");
      stream.say(each.setId(id).build());
      Eventually.holds("it is gone", () -> client.cacheStatistics().entries() == 0);
      stream.requests.clear();
    }
    assertTrue(client.cacheIsOpen());
    assertEquals(0, client.cacheStatistics().streamsLost());
  }

  @Test
  void a_first_event_that_echoes_another_decision_is_not_believed() throws Exception {
    open(10, 60_000);
    CompletableFuture<Decision> answer = client.authorizeAsync(Q);
    long id = stream.added().getId();
    stream.say(Messages.told(id, Messages.allow("a")).toBuilder().setDecisionId("b").build());
    assertEquals("single", answer.get(5, TimeUnit.SECONDS).decisionId());
    assertEquals(id, stream.removed());
  }

  @Test
  void nothing_is_served_after_valid_until() throws Exception {
    open(10, 60_000);
    Timestamp soon = Timestamp.newBuilder().setSeconds(Instant.now().getEpochSecond() + 30).build();
    long id = keep(Q, Messages.allow("a").toBuilder().setValidUntil(soon).build());
    wallAhead.set(28_000);
    assertServed(Q, "a");
    wallAhead.set(31_000);
    CompletableFuture<Decision> answer = client.authorizeAsync(Q);
    assertEquals(id, stream.removed());
    stream.say(Messages.told(stream.added().getId(), Messages.deny("later")));
    assertEquals("later", answer.get(5, TimeUnit.SECONDS).decisionId());
  }
}
