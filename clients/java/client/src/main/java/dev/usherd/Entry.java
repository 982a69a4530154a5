package dev.usherd;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** One question on a stream: what is known of it, and who waits to know. */
final class Entry {

  /**
   * A decision that may be served.
   *
   * @param decision the decision
   * @param untilMillis before when, by the wall clock
   */
  record Kept(Decision decision, long untilMillis) {}

  final Question question;
  final LiveStream stream;
  final long id;
  final long addedAt;

  /** What may be served; null: nothing. */
  volatile Kept kept;

  /** When it was last served. Written without the lock, by whoever is served. */
  volatile long used;

  /** The same, when it was last put in its place in the order of use. */
  long ordered;

  /** Those who wait for the first event; null after it. */
  private List<CompletableFuture<Decision>> waiting = new ArrayList<>(1);

  Entry(Question question, LiveStream stream, long id, long now) {
    this.question = question;
    this.stream = stream;
    this.id = id;
    this.addedAt = now;
  }

  boolean isUnderWay() {
    return waiting != null;
  }

  CompletableFuture<Decision> join() {
    CompletableFuture<Decision> waiter = new CompletableFuture<>();
    waiting.add(waiter);
    return waiter;
  }

  void leave(CompletableFuture<Decision> waiter) {
    if (waiting != null) {
      waiting.remove(waiter);
    }
  }

  void answer(Decision decision) {
    for (CompletableFuture<Decision> each : settled()) {
      each.complete(decision);
    }
  }

  void answer(RuntimeException inItsPlace) {
    for (CompletableFuture<Decision> each : settled()) {
      each.completeExceptionally(inItsPlace);
    }
  }

  private List<CompletableFuture<Decision>> settled() {
    List<CompletableFuture<Decision>> those = waiting == null ? List.of() : waiting;
    waiting = null;
    return those;
  }
}
