package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Timestamp;
import com.google.protobuf.UnknownFieldSet;
import dev.usherd.v1.Code;
import dev.usherd.v1.Dependency;
import dev.usherd.v1.Effect;
import dev.usherd.v1.Expiring;
import dev.usherd.v1.Fault;
import dev.usherd.v1.FaultReason;
import dev.usherd.v1.Resync;
import dev.usherd.v1.StreamTerms;
import dev.usherd.v1.SubscribeResponse;
import io.grpc.Context;
import io.grpc.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CacheTest {

  private static final Question Q = Question.builder("t", "/v1/chat/completions").model("m").build();

  private final AtomicLong ahead = new AtomicLong();
  private final AtomicLong wallAhead = new AtomicLong();
  private ScriptedServer server;
  private UsherClient client;
  private ScriptedServer.Subscribed stream;

  @BeforeEach
  void start() throws Exception {
    Warm.up();
    server = new ScriptedServer();
  }

  @AfterEach
  void end() throws Exception {
    if (client != null) {
      client.close();
    }
    server.close();
  }

  private void open(int size, long silence) throws Exception {
    client =
        UsherClient.builder(server.target())
            .cache(DecisionCache.ofSize(size))
            .clocks(
                new Clocks(() -> System.nanoTime() + ahead.get(), () -> System.currentTimeMillis() + wallAhead.get()))
            .build();
    reopened(silence);
  }

  private void reopened(long silence) throws Exception {
    stream = server.stream();
    stream.say(Messages.checkpoint().toBuilder().setTerms(Messages.terms(silence)).build());
    Eventually.holds("the stream is in use", client::cacheIsOpen);
  }

  private Question question(int number) {
    return Question.builder("t" + number, "/r").build();
  }

  /** Has the stream answer it, and gives the number of its subscription. */
  private long keep(Question question, dev.usherd.v1.Decision decision) throws Exception {
    CompletableFuture<Decision> answer = client.authorizeAsync(question);
    long id = stream.added().getId();
    stream.say(Messages.told(id, decision));
    assertEquals(decision.getDecisionId(), answer.get(5, TimeUnit.SECONDS).decisionId());
    return id;
  }

  private void assertServed(Question question, String id) {
    int before = server.asked.get();
    assertEquals(id, client.authorize(question).decisionId());
    assertEquals(before, server.asked.get());
    assertNull(stream.requests.peek());
  }

  /** It is no longer at hand: it is added anew. */
  private void assertGone(Question question) throws Exception {
    CompletableFuture<Decision> answer = client.authorizeAsync(question);
    long id = stream.added().getId();
    stream.say(Messages.told(id, Messages.deny("anew" + id)));
    assertEquals("anew" + id, answer.get(5, TimeUnit.SECONDS).decisionId());
  }

  @Test
  void without_a_cache_no_stream_is_opened_and_each_question_is_asked() throws Exception {
    client = UsherClient.builder(server.target()).build();
    assertTrue(client.authorize(Q).allowed());
    assertTrue(client.authorize(Q).allowed());
    assertEquals(2, server.asked.get());
    assertTrue(server.streams.isEmpty());
    assertEquals(new CacheStatistics(0, 0, 0, 0, 0, 0, 0, 0, 0), client.cacheStatistics());
  }

  @Test
  void what_the_stream_told_is_served_from_memory() throws Exception {
    open(10, 60_000);
    keep(Q, Messages.allow("a"));
    assertServed(Q, "a");
    assertEquals("a", client.authorizeAsync(Q).get().decisionId());
    assertEquals(new CacheStatistics(1, 2, 1, 0, 0, 0, 0, 0, 0), client.cacheStatistics());
    assertEquals(0, server.asked.get());
  }

  @Test
  void denials_are_kept_as_well() throws Exception {
    open(10, 60_000);
    keep(Q, Messages.deny("d"));
    assertServed(Q, "d");
    assertFalse(client.authorize(Q).allowed());
  }

  @Test
  void every_part_of_a_question_makes_it_another_one() throws Exception {
    open(100, 60_000);
    List<Question> all =
        List.of(
            Question.builder("t", "/r").build(),
            Question.builder("u", "/r").build(),
            Question.builder("t", "/s").build(),
            Question.builder("t", "/r").method("GET").build(),
            Question.builder("t", "/r").model("m").build(),
            Question.builder("t", "/r").model("").build(),
            Question.builder("t", "/r").fallbackModels(List.of("a", "b")).build(),
            Question.builder("t", "/r").fallbackModels(List.of("b", "a")).build(),
            Question.builder("t", "/r").fallbackModels(List.of("a,b")).build(),
            Question.builder("t", "/r").teamId("x").build(),
            Question.builder("t", "/r").teamAlias("x").build(),
            Question.builder("t", "/r").teamId("").build(),
            Question.builder("t", "/r").endUserId("x").build(),
            Question.builder("t", "/r").organizationId("x").build(),
            Question.builder("t", "/r").modifiesGuardrails(true).build());
    for (int each = 0; each < all.size(); each++) {
      keep(all.get(each), Messages.allow("d" + each));
    }
    for (int each = 0; each < all.size(); each++) {
      assertServed(all.get(each), "d" + each);
    }
  }

  @Test
  void questions_of_one_hash_are_told_apart() throws Exception {
    open(100, 60_000);
    keep(Question.builder("Aa", "/r").build(), Messages.allow("1"));
    Question twin = Question.builder("BB", "/r").build();
    assertEquals(twin.hashCode(), Question.builder("Aa", "/r").build().hashCode());
    keep(twin, Messages.deny("2"));
    assertServed(Question.builder("Aa", "/r").build(), "1");
    assertServed(twin, "2");
  }

  @Test
  void explanations_and_freshness_pass_the_cache_by() throws Exception {
    open(10, 60_000);
    keep(Q, Messages.allow("a"));
    assertEquals("single", client.authorize(Q, AskOptions.defaults().explain(true)).decisionId());
    assertEquals("single", client.authorize(Q, AskOptions.defaults().atLeastAsFresh("r")).decisionId());
    assertEquals("a", client.authorize(Q, AskOptions.defaults().requestId("r")).decisionId());
  }

  @Test
  void a_question_that_was_cut_or_is_large_is_asked_by_itself_and_not_kept() throws Exception {
    open(10, 60_000);
    Question cut = Question.builder("t".repeat(100_000), "/r").build();
    client.authorize(cut);
    client.authorize(cut);
    client.authorize(Question.builder("t".repeat(17_000), "/r").build());
    assertEquals(3, server.asked.get());
    assertNull(stream.requests.peek());
  }

  @Test
  void a_question_that_is_asked_at_the_same_time_is_added_once() throws Exception {
    open(10, 60_000);
    List<CompletableFuture<Decision>> all = new ArrayList<>();
    for (int each = 0; each < 20; each++) {
      all.add(client.authorizeAsync(Question.builder("t", "/r").build()));
    }
    long id = stream.added().getId();
    stream.say(Messages.told(id, Messages.allow("a")));
    for (CompletableFuture<Decision> each : all) {
      assertEquals("a", each.get(5, TimeUnit.SECONDS).decisionId());
    }
    assertNull(stream.requests.poll(50, TimeUnit.MILLISECONDS));
  }

  @Test
  void who_gives_up_does_not_take_the_answer_from_the_others() throws Exception {
    open(10, 60_000);
    CompletableFuture<Decision> leader = client.authorizeAsync(Q);
    CompletableFuture<Decision> late = client.authorizeAsync(Q, AskOptions.defaults().deadline(Duration.ofMillis(300)));
    CompletableFuture<Decision> patient = client.authorizeAsync(Q, AskOptions.defaults().deadline(Duration.ofSeconds(9)));
    long id = stream.added().getId();
    leader.cancel(true);
    // Who has waited for half of the deadline asks by itself.
    assertEquals("single", late.get(5, TimeUnit.SECONDS).decisionId());
    assertEquals("single", client.authorize(Q, AskOptions.defaults().deadline(Duration.ofMillis(300))).decisionId());
    assertEquals(2, server.asked.get());
    server.authorize = (request, out) -> {};
    UsherFault waited =
        assertThrows(UsherFault.class, () -> client.authorize(Q, AskOptions.defaults().deadline(Duration.ofMillis(50))));
    assertEquals(UsherFault.Kind.OUT_OF_TIME, waited.kind());
    stream.say(Messages.told(id, Messages.allow("a")));
    assertEquals("a", patient.get(5, TimeUnit.SECONDS).decisionId());
    assertServed(Q, "a");
  }

  @Test
  void at_most_256_additions_are_under_way_and_the_rest_is_asked_by_itself() throws Exception {
    open(10_000, 60_000);
    for (int each = 0; each < 256; each++) {
      client.authorizeAsync(question(each));
      stream.added();
    }
    assertEquals("single", client.authorize(question(256)).decisionId());
    assertNull(stream.requests.peek());
    stream.say(Messages.told(1, Messages.allow("a")));
    assertServedSoon(question(0), "a");
    keep(question(257), Messages.allow("b"));
  }

  private void assertServedSoon(Question question, String id) throws Exception {
    Eventually.holds("it is told", () -> client.cacheStatistics().entries() > 0);
    assertServed(question, id);
  }

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

  private static SubscribeResponse fault(long id, Code code, FaultReason reason) {
    return SubscribeResponse.newBuilder()
        .setId(id)
        .setFault(Fault.newBuilder().setCode(code).setReason(reason).setMessage("secret"))
        .build();
  }

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

  private static UnknownFieldSet unknownEvent() {
    return UnknownFieldSet.newBuilder()
        .addField(14, UnknownFieldSet.Field.newBuilder().addLengthDelimited(com.google.protobuf.ByteString.EMPTY).build())
        .build();
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
  void the_least_recently_used_goes_first_and_is_removed_from_the_stream() throws Exception {
    open(3, 60_000);
    long first = keep(question(1), Messages.allow("1"));
    long second = keep(question(2), Messages.allow("2"));
    long third = keep(question(3), Messages.allow("3"));
    assertServed(question(1), "1");
    CompletableFuture<Decision> fourth = client.authorizeAsync(question(4));
    assertEquals(second, stream.removed());
    stream.say(Messages.told(stream.added().getId(), Messages.allow("4")));
    assertEquals("4", fourth.get(5, TimeUnit.SECONDS).decisionId());
    assertServed(question(1), "1");
    assertServed(question(4), "4");
    assertEquals(1, client.cacheStatistics().evicted());
    client.authorizeAsync(question(5));
    assertEquals(third, stream.removed());
    stream.added();
    client.authorizeAsync(question(6));
    assertEquals(first, stream.removed());
    stream.added();
    assertEquals(1, client.cacheStatistics().entries());
  }

  @Test
  void a_cache_that_is_full_of_additions_under_way_asks_by_itself() throws Exception {
    open(1, 60_000);
    client.authorizeAsync(question(1));
    stream.added();
    assertEquals("single", client.authorize(question(2)).decisionId());
  }

  @Test
  void the_numbers_of_subscriptions_only_rise() throws Exception {
    open(1, 60_000);
    long before = 0;
    for (int each = 0; each < 20; each++) {
      CompletableFuture<Decision> answer = client.authorizeAsync(question(each));
      if (each > 0) {
        assertEquals(before, stream.removed());
      }
      long id = stream.added().getId();
      assertTrue(id > before);
      before = id;
      stream.say(Messages.told(id, Messages.allow("d" + each)));
      answer.get(5, TimeUnit.SECONDS);
    }
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

  @Test
  void sizes_that_no_stream_takes_are_refused() {
    assertThrows(IllegalArgumentException.class, () -> DecisionCache.ofSize(0));
    assertThrows(IllegalArgumentException.class, () -> DecisionCache.ofSize(10_001));
  }
}
