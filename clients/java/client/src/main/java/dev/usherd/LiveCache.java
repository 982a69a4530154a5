package dev.usherd;

import dev.usherd.v1.Code;
import dev.usherd.v1.SubscribeResponse;
import io.grpc.Metadata;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Keeps decisions true by one stream, and serves them from memory while that stream is heard.
 *
 * <p>Hits take no lock. Whatever changes something does, and nothing of a user's runs under it.
 */
final class LiveCache {

  /** In the place of an answer: the question has to be asked by itself. */
  static final class ByItself extends RuntimeException {
    private static final long serialVersionUID = 1L;
    static final ByItself INSTANCE = new ByItself();

    private ByItself() {
      super(null, null, false, false);
    }
  }

  private static final int MOST_UNDER_WAY = 256;
  private static final long FIRST_WORD_WITHIN = TimeUnit.SECONDS.toNanos(5);
  private static final int LARGEST_QUESTION = 16 * 1024;
  private static final long ANSWER_WITHIN = TimeUnit.SECONDS.toNanos(60);
  private static final long LONGEST_WAIT = TimeUnit.SECONDS.toNanos(5);

  final Object lock = new Object();
  final Clocks clocks;
  final Tally tally = new Tally();

  private final Wire wire;
  private final ScheduledExecutorService timer;
  private final Backoff backoff = new Backoff(TimeUnit.MILLISECONDS.toNanos(100), LONGEST_WAIT, 0.2);
  private final Map<Question, Entry> entries = new ConcurrentHashMap<>();
  private final UseOrder order;
  private final int size;

  /** The stream that is open; null: there is none. */
  private volatile LiveStream stream;

  private boolean closed;

  LiveCache(Wire wire, int size, Clocks clocks, ScheduledExecutorService timer) {
    this.wire = wire;
    this.size = size;
    this.clocks = clocks;
    this.timer = timer;
    this.order = new UseOrder(size);
  }

  /** The decision, if it is at hand and surely holds; else null. */
  Decision hit(Question question) {
    Entry entry = entries.get(question);
    if (entry == null) {
      return null;
    }
    Entry.Kept kept = entry.kept;
    LiveStream open = stream;
    if (kept == null || entry.stream != open) {
      return null;
    }
    long now = clocks.nanos().getAsLong();
    if (open.isSilent(now) || clocks.millis().getAsLong() >= kept.untilMillis()) {
      return null;
    }
    entry.used = now;
    tally.hits.increment();
    return kept.decision();
  }

  /**
   * What the stream answers to this question: a decision, a UsherFault, or ByItself. Null: it has to be asked by itself.
   */
  CompletableFuture<Decision> join(Question question) {
    tally.misses.increment();
    Question.Sent sent = question.sent();
    if (!sent.whole() || sent.message().getSerializedSize() > LARGEST_QUESTION) {
      return null;
    }
    synchronized (lock) {
      LiveStream open = stream;
      long now = clocks.nanos().getAsLong();
      if (open != null && open.ready && open.isSilent(now)) {
        lost(open, true);
      }
      if (open == null || open.over) {
        return null;
      }
      Entry entry = entries.get(question);
      if (entry != null && entry.isUnderWay()) {
        // Of a stream that has not said yet how it is served nothing is expected.
        return open.ready ? entry.join() : null;
      }
      if (entry != null) {
        Entry.Kept kept = entry.kept;
        if (kept != null && clocks.millis().getAsLong() < kept.untilMillis()) {
          // It came in the meantime.
          return CompletableFuture.completedFuture(kept.decision());
        }
        drop(entry, true);
      }
      if (!open.ready) {
        // One question makes the server say how the stream is served; it does not wait for that.
        if (open.size() == 0) {
          entries.put(question, open.add(question, sent.message(), now));
          after(FIRST_WORD_WITHIN, () -> hasBegun(open));
        }
        return null;
      }
      if (open.underWay() >= MOST_UNDER_WAY || (open.size() >= size && !evict())) {
        return null;
      }
      Entry added = open.add(question, sent.message(), now);
      entries.put(question, added);
      return added.join();
    }
  }

  /** Whoever waited for that waits no more; the others do. */
  void leave(Question question, CompletableFuture<Decision> waiter) {
    synchronized (lock) {
      Entry entry = entries.get(question);
      if (entry != null) {
        entry.leave(waiter);
      }
    }
  }

  CacheStatistics statistics() {
    synchronized (lock) {
      LiveStream open = stream;
      return tally.read(open == null ? 0 : open.size() - open.underWay());
    }
  }

  /** Whether there is a stream that said how it is served. */
  boolean isOpen() {
    synchronized (lock) {
      return stream != null && stream.ready;
    }
  }

  /** Opens a stream, or tries again later. */
  void open() {
    Metadata shown = null;
    try {
      shown = wire.shown();
    } catch (UsherFault notShown) {
      // As if it could not be opened.
    }
    synchronized (lock) {
      if (closed || stream != null) {
        return;
      }
      LiveStream opened = new LiveStream(this);
      stream = opened;
      if (shown == null) {
        lost(opened, false);
      } else {
        opened.open(wire, shown);
      }
    }
  }

  void close() {
    synchronized (lock) {
      closed = true;
      if (stream != null) {
        lost(stream, false);
      }
    }
  }

  /** That stream may be used from now on. */
  void began(LiveStream open) {
    watchSilence(open, open.patience(clocks.nanos().getAsLong()));
  }

  /** That stream is over, and everything that it told is gone. */
  void lost(LiveStream lost, boolean silent) {
    if (lost.over) {
      return;
    }
    long now = clocks.nanos().getAsLong();
    lost.end();
    stream = null;
    if (lost.ready) {
      tally.streamsLost.increment();
      if (silent) {
        tally.silences.increment();
      }
      if (now - lost.readySince >= LONGEST_WAIT) {
        backoff.reset();
      }
    }
    entries.clear();
    order.clear();
    for (Entry each : lost.entries()) {
      each.kept = null;
      each.answer(closed ? new UsherFault(UsherFault.Kind.CLOSED) : ByItself.INSTANCE);
    }
    if (!closed) {
      after(backoff.take(), this::open);
    }
  }

  /** That is what has become of one question. */
  void told(Entry entry, SubscribeResponse message) {
    switch (message.getEventCase()) {
      case DECISION -> decided(entry, message);
      case CHANGED -> changed(entry, message);
      case ENDED -> {
        tally.ended.increment();
        drop(entry, false);
      }
      case FAULT -> {
        if (entry.isUnderWay() && message.getFault().getCodeValue() != Code.CODE_RESOURCE_EXHAUSTED_VALUE) {
          settle(entry);
          entry.answer(Answers.fault(message.getFault()));
        }
        drop(entry, false);
      }
      case RESYNC -> drop(entry, false);
      case CHECKPOINT -> {}
      case EXPIRING -> {
        if (!isAbout(entry, message)) {
          drop(entry, true);
        }
      }
      default -> drop(entry, true);
    }
  }

  private void decided(Entry entry, SubscribeResponse message) {
    if (!entry.isUnderWay() || !message.getDecisionId().equals(message.getDecision().getDecisionId())) {
      drop(entry, true);
      return;
    }
    settle(entry);
    try {
      Decision decision = Answers.decision(message.getDecision());
      keep(entry, decision);
      entry.answer(decision);
      if (entry.kept != null) {
        entry.used = clocks.nanos().getAsLong();
        order.add(entry);
      }
    } catch (UsherFault bad) {
      entry.answer(bad);
      drop(entry, true);
    }
  }

  private void changed(Entry entry, SubscribeResponse message) {
    tally.changed.increment();
    if (!isAbout(entry, message)) {
      drop(entry, true);
      return;
    }
    // Between here and the new one there is nothing to serve.
    entry.kept = null;
    try {
      keep(entry, Answers.decision(message.getChanged().getDecision()));
    } catch (UsherFault bad) {
      drop(entry, true);
    }
  }

  private static boolean isAbout(Entry entry, SubscribeResponse message) {
    Entry.Kept kept = entry.kept;
    return kept != null && kept.decision().decisionId().equals(message.getDecisionId());
  }

  private void keep(Entry entry, Decision decision) {
    long until = decision.cacheable() ? decision.validUntil().orElseThrow().toEpochMilli() : 0;
    if (until <= clocks.millis().getAsLong()) {
      // Whoever waits for it is told all the same.
      entry.answer(decision);
      drop(entry, true);
      return;
    }
    entry.kept = new Entry.Kept(decision, until);
  }

  /** Everything of it is gone; whoever still waits for it asks by itself. */
  private void drop(Entry entry, boolean tellServer) {
    if (entry.isUnderWay()) {
      settle(entry);
      entry.answer(ByItself.INSTANCE);
    }
    entry.kept = null;
    entries.remove(entry.question, entry);
    entry.stream.forget(entry, tellServer);
  }

  private static void settle(Entry entry) {
    entry.stream.settled();
  }

  private boolean evict() {
    Entry least = order.least();
    if (least == null) {
      return false;
    }
    tally.evicted.increment();
    drop(least, true);
    return true;
  }

  private void watchSilence(LiveStream open, long wait) {
    after(
        wait + 1,
        () -> {
          synchronized (lock) {
            if (open.over) {
              return;
            }
            long now = clocks.nanos().getAsLong();
            if (open.isSilent(now)) {
              lost(open, true);
              return;
            }
            for (Entry each : open.entries().toArray(new Entry[0])) {
              if (each.isUnderWay() && now - each.addedAt > ANSWER_WITHIN) {
                drop(each, true);
              }
            }
            watchSilence(open, open.patience(now));
          }
        });
  }

  private void hasBegun(LiveStream open) {
    synchronized (lock) {
      if (!open.ready) {
        lost(open, false);
      }
    }
  }

  private void after(long nanos, Runnable what) {
    try {
      timer.schedule(what, nanos, TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException closing) {
      // The client is closed: nothing comes after that.
    }
  }
}
