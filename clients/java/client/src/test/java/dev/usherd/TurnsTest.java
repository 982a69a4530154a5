package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Watches begin no faster than a server takes them up, and whoever gives up makes nobody wait. */
class TurnsTest {

  private static final Question Q = Question.builder("t", "/v1/chat/completions").model("m").build();

  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);

  @Test
  void calls_begin_no_faster_than_a_server_takes_them_up() {
    Turns turns = new Turns(now::get);
    for (int each = 0; each < Turns.AT_ONCE; each++) {
      assertEquals(0, turns.take());
    }
    for (int each = 1; each <= 50; each++) {
      assertEquals(each * Turns.PACE, turns.take());
    }
    now.addAndGet(TimeUnit.MINUTES.toNanos(1));
    assertEquals(0, turns.take());
  }

  @Test
  void a_turn_that_is_given_back_holds_up_nobody() {
    Turns turns = new Turns(now::get);
    for (int each = 0; each < 5000; each++) {
      turns.take();
    }
    for (int each = 0; each < 5000; each++) {
      turns.giveBack();
    }
    assertEquals(0, turns.take());
  }

  private final Heard told = new Heard();

  @Test
  void the_time_of_a_watch_runs_while_it_waits_and_its_turn_is_given_back() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    try (ScriptedServer server = new ScriptedServer()) {
      server.authorize = (request, out) -> asked.incrementAndGet();
      try (UsherClient client = UsherClient.builder(server.target()).build()) {
        for (int each = 0; each < 60_000; each++) {
          client.turns().take();
        }
        AskOptions soon = AskOptions.defaults().deadline(Duration.ofMillis(50));
        client.watch(Q, soon, told);
        UsherFault fault = assertInstanceOf(UsherFault.class, told.all.poll(20, TimeUnit.SECONDS));
        assertEquals(UsherFault.Kind.OUT_OF_TIME, fault.kind());
        Watching waiting = client.watch(Q, AskOptions.defaults().deadline(Duration.ofSeconds(20)), told);
        assertNull(told.all.poll(50, TimeUnit.MILLISECONDS));
        waiting.close();
        assertEquals(List.of(), client.watchCalls());
      }
    }
    assertEquals(0, asked.get());
  }

  @Test
  void a_watch_that_waits_for_its_turn_begins_then() throws Exception {
    AtomicLong askedAt = new AtomicLong();
    try (ScriptedServer server = new ScriptedServer()) {
      server.authorize = (request, out) -> askedAt.set(System.nanoTime());
      try (UsherClient client = UsherClient.builder(server.target()).build()) {
        for (int each = 0; each < 500; each++) {
          client.turns().take();
        }
        long begun = System.nanoTime();
        client.watch(Q, AskOptions.defaults().deadline(Duration.ofSeconds(20)), told);
        Eventually.holds("it is asked", () -> askedAt.get() != 0);
        assertTrue(askedAt.get() - begun > TimeUnit.MILLISECONDS.toNanos(300));
      }
    }
  }
}
