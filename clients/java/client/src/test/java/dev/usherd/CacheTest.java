package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What is at hand is served from memory, and the same question is added once. */
class CacheTest extends CacheTestCase {

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
}
