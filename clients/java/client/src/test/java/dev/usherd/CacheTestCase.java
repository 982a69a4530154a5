package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.google.protobuf.UnknownFieldSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A client with a cache, and the server's end of its stream. */
abstract class CacheTestCase {

  static final Question Q = Question.builder("t", "/v1/chat/completions").model("m").build();

  final AtomicLong ahead = new AtomicLong();
  final AtomicLong wallAhead = new AtomicLong();
  ScriptedServer server;
  UsherClient client;
  ScriptedServer.Subscribed stream;

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

  void open(int size, long silence) throws Exception {
    client =
        UsherClient.builder(server.target())
            .cache(DecisionCache.ofSize(size))
            .clocks(
                new Clocks(() -> System.nanoTime() + ahead.get(), () -> System.currentTimeMillis() + wallAhead.get()))
            .build();
    reopened(silence);
  }

  void reopened(long silence) throws Exception {
    stream = server.stream();
    stream.say(Messages.checkpoint().toBuilder().setTerms(Messages.terms(silence)).build());
    Eventually.holds("the stream is in use", client::cacheIsOpen);
  }

  Question question(int number) {
    return Question.builder("t" + number, "/r").build();
  }

  /** Has the stream answer it, and gives the number of its subscription. */
  long keep(Question question, dev.usherd.v1.Decision decision) throws Exception {
    CompletableFuture<Decision> answer = client.authorizeAsync(question);
    long id = stream.added().getId();
    stream.say(Messages.told(id, decision));
    assertEquals(decision.getDecisionId(), answer.get(5, TimeUnit.SECONDS).decisionId());
    return id;
  }

  void assertServed(Question question, String id) {
    int before = server.asked.get();
    assertEquals(id, client.authorize(question).decisionId());
    assertEquals(before, server.asked.get());
    assertNull(stream.requests.peek());
  }

  /** It is no longer at hand: it is added anew. */
  void assertGone(Question question) throws Exception {
    CompletableFuture<Decision> answer = client.authorizeAsync(question);
    long id = stream.added().getId();
    stream.say(Messages.told(id, Messages.deny("anew" + id)));
    assertEquals("anew" + id, answer.get(5, TimeUnit.SECONDS).decisionId());
  }

  void assertServedSoon(Question question, String id) throws Exception {
    Eventually.holds("it is told", () -> client.cacheStatistics().entries() > 0);
    assertServed(question, id);
  }

  static UnknownFieldSet unknownEvent() {
    return UnknownFieldSet.newBuilder()
        .addField(14, UnknownFieldSet.Field.newBuilder().addLengthDelimited(com.google.protobuf.ByteString.EMPTY).build())
        .build();
  }
}
