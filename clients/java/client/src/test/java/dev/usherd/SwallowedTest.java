package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A network that drops every packet: no connection ends, and nothing is heard. */
class SwallowedTest {

  private static final Question Q = Question.builder("t", "/r").model("m").build();
  private static final long SILENCE = 1000;
  private static final AskOptions SOON = AskOptions.defaults().deadline(Duration.ofMillis(30));

  private ScriptedServer server;
  private Swallowing network;
  private UsherClient client;

  @BeforeEach
  void start() throws Exception {
    Warm.up();
    server = new ScriptedServer();
    network = new Swallowing(server.target());
    client = UsherClient.builder(network.target()).cache(DecisionCache.ofSize(10)).build();
  }

  @AfterEach
  void end() throws Exception {
    client.close();
    network.close();
    server.close();
  }

  @Test
  void after_max_silence_nothing_is_served_from_memory_and_every_answer_is_a_fault() throws Exception {
    ScriptedServer.Subscribed stream = server.stream();
    stream.say(Messages.checkpoint().toBuilder().setTerms(Messages.terms(SILENCE)).build());
    Eventually.holds("the stream is in use", client::cacheIsOpen);
    CompletableFuture<Decision> first = client.authorizeAsync(Q);
    stream.say(Messages.told(stream.added().getId(), Messages.allow("a")));
    assertTrue(first.get(5, TimeUnit.SECONDS).allowed());
    network.swallows = true;
    long cut = System.nanoTime();
    assertEquals("a", client.authorize(Q, SOON).decisionId());
    // The server goes on saying that nothing has changed; it is not heard.
    long lastHit = cut;
    while (System.nanoTime() - cut < TimeUnit.MILLISECONDS.toNanos(2 * SILENCE)) {
      long before = System.nanoTime();
      stream.say(Messages.checkpoint());
      try {
        client.authorize(Q, SOON);
        lastHit = before;
      } catch (UsherFault none) {
        assertTrue(
            none.kind() == UsherFault.Kind.OUT_OF_TIME || none.kind() == UsherFault.Kind.UNAVAILABLE, none.toString());
      }
    }
    // What was under way when the network was cut may still have been heard.
    assertTrue(lastHit - cut <= TimeUnit.MILLISECONDS.toNanos(SILENCE + 100), (lastHit - cut) / 1e6 + " ms");
    assertEquals(1, client.cacheStatistics().silences());
    assertEquals(0, client.cacheStatistics().entries());
    assertThrows(UsherFault.class, () -> client.authorize(Q, SOON));
  }

  @Test
  void what_is_watched_is_unknown_after_max_silence() throws Exception {
    server.authorize = (request, out) -> out.onNext(Messages.living(Messages.allow("a"), SILENCE));
    var events = new LinkedBlockingQueue<WatchEvent>();
    client.watch(Q, AskOptions.defaults(), events::add);
    assertTrue(events.poll(5, TimeUnit.SECONDS).allowed());
    network.swallows = true;
    long cut = System.nanoTime();
    WatchEvent last = events.poll(10, TimeUnit.SECONDS);
    assertTrue(last instanceof WatchEvent.Unknown, String.valueOf(last));
    long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - cut);
    assertTrue(took < 2 * SILENCE + 500, "after " + took + " ms");
  }
}
