package dev.usherd;

import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Cause;
import dev.usherd.v1.Mode;
import io.grpc.Metadata;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Tells what becomes of one question, over as many streams as it takes. */
final class Watch implements Watching, WatchCall.Owner {

  private static final Duration LONGEST_SILENCE = Duration.ofHours(1);

  /** How long an answer of an old server stands, which does not say how long it may be silent. */
  private static final long SILENCE_OF_ONCE = TimeUnit.SECONDS.toNanos(15);

  private static final long LONGEST_LOOK = TimeUnit.SECONDS.toNanos(5);
  private static final long SHORTEST_LOOK = TimeUnit.MILLISECONDS.toNanos(100);

  /** How soon it is noticed that the machine has slept. */
  private static final long LOOKS_EVERY = TimeUnit.SECONDS.toNanos(1);

  private final Wire wire;
  private final WatchChannels channels;
  private final Turns turns;
  private final Clocks clocks;
  private final ScheduledExecutorService timers;
  private final Question question;
  private final AskOptions options;
  private final WatchListener listener;
  private final Deliveries deliveries;
  private final Consumer<Watch> whenOver;
  private final Backoff backoff = new Backoff(TimeUnit.MILLISECONDS.toNanos(10), TimeUnit.SECONDS.toNanos(1), 0);

  private WatchCall call;

  /** Whether a turn was taken that is not used yet. */
  private boolean waiting;

  private ScheduledFuture<?> timer;
  private boolean over;

  /** The decision that was told last; null: none was. */
  private Decision last;

  /** What the last attempt to ask ended with. */
  private UsherFault why = new UsherFault(UsherFault.Kind.UNAVAILABLE);

  /** When the answer is unknown if nothing better comes until then. */
  private long limit;

  /** Of the stream that is open: what it has said. */
  private Decision once;

  private boolean live;
  private long heardAt;
  private long heardAtMillis;
  private long maxSilence;

  Watch(
      Wire wire,
      WatchChannels channels,
      Turns turns,
      Clocks clocks,
      ScheduledExecutorService timers,
      Executor executor,
      Question question,
      AskOptions options,
      WatchListener listener,
      Consumer<Watch> whenOver) {
    this.wire = wire;
    this.channels = channels;
    this.turns = turns;
    this.clocks = clocks;
    this.timers = timers;
    this.question = question;
    this.options = options;
    this.listener = listener;
    this.deliveries = new Deliveries(executor);
    this.whenOver = whenOver;
  }

  void begin() {
    ask(options.deadline().toNanos());
  }

  @Override
  public void close() {
    finish();
    deliveries.end();
  }

  /** The client is closed under it. */
  void abandon() {
    synchronized (this) {
      if (!over) {
        why = new UsherFault(UsherFault.Kind.CLOSED);
        tellUnknown();
      }
    }
  }

  /** Begins a call when it is its turn; the time within which it has to answer runs meanwhile. */
  private void ask(long within) {
    synchronized (this) {
      if (over) {
        return;
      }
      long wait = turns.take();
      if (wait > 0) {
        waiting = true;
        after(Math.min(wait, within), wait < within ? () -> call(within - wait) : this::noTurnInTime);
        return;
      }
    }
    call(within);
  }

  private synchronized void noTurnInTime() {
    if (!over) {
      giveTurnBack();
      failed(new UsherFault(UsherFault.Kind.OUT_OF_TIME));
    }
  }

  private void giveTurnBack() {
    if (waiting) {
      waiting = false;
      turns.giveBack();
    }
  }

  private void call(long within) {
    Metadata shown = null;
    UsherFault notShown = null;
    try {
      shown = wire.shown();
    } catch (UsherFault fault) {
      notShown = fault;
    }
    synchronized (this) {
      if (over) {
        return;
      }
      waiting = false;
      once = null;
      live = false;
      if (notShown != null) {
        failed(notShown);
        return;
      }
      WatchCall begun;
      try {
        begun = WatchCall.begin(channels, shown, question, options, this);
      } catch (UsherFault closed) {
        failed(closed);
        return;
      } catch (RuntimeException notBegun) {
        // Nobody would tell of it any more: the timer's thread says nothing.
        failed(new UsherFault(UsherFault.Kind.INTERNAL));
        return;
      }
      call = begun;
      after(
          within,
          () -> {
            synchronized (this) {
              if (call == begun && !live) {
                failed(new UsherFault(UsherFault.Kind.OUT_OF_TIME));
              }
            }
          });
    }
  }

  @Override
  public synchronized void message(WatchCall from, AuthorizeResponse message) {
    if (over || from != call) {
      return;
    }
    try {
      if (live) {
        event(message);
      } else {
        first(message);
      }
    } catch (UsherFault bad) {
      if (live) {
        broke(bad);
      } else {
        failed(bad);
      }
    }
  }

  @Override
  public synchronized void ended(WatchCall from, UsherFault fault) {
    if (over || from != call) {
      return;
    }
    if (live) {
      broke(fault == null ? new UsherFault(UsherFault.Kind.UNAVAILABLE) : fault);
    } else if (fault == null && once != null) {
      call = null;
      askAgainLater(once);
    } else {
      failed(fault == null ? new UsherFault(UsherFault.Kind.BAD_ANSWER) : fault);
    }
  }

  private void first(AuthorizeResponse message) {
    if (once != null || !message.hasDecision()) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    Decision decision = Answers.decision(message.getDecision());
    Mode mode = message.getTerms().getMode();
    if (mode == Mode.MODE_ONCE || mode == Mode.MODE_UNSPECIFIED) {
      // It counts when its stream ends with OK.
      once = decision;
      return;
    }
    long seconds = message.getTerms().getMaxSilence().getSeconds();
    long nanos = message.getTerms().getMaxSilence().getNanos();
    if (mode != Mode.MODE_WATCH || seconds < 0 || nanos < 0 || nanos > 999_999_999 || seconds + nanos == 0) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    maxSilence = Duration.ofSeconds(Math.min(seconds, LONGEST_SILENCE.toSeconds()), nanos).toNanos();
    heard();
    live = true;
    answered(decision);
    watchSilence(call, maxSilence);
  }

  private void event(AuthorizeResponse message) {
    if (sinceHeard() > maxSilence) {
      // It may have lain in a buffer while this process stood still.
      broke(new UsherFault(UsherFault.Kind.UNAVAILABLE));
      return;
    }
    heard();
    switch (message.getEventCase()) {
      case CHECKPOINT -> {}
      case CHANGED -> {
        Decision decision = Answers.decision(message.getChanged().getDecision());
        last = decision;
        tell(new WatchEvent.Changed(decision, cause(message.getChanged().getCause())));
      }
      case EXPIRING -> {
        Instant endsAt = Answers.instant(message.getExpiring().getEndsAt());
        if (endsAt != null) {
          tell(new WatchEvent.Expiring(endsAt, cause(message.getExpiring().getCause()), last.allowed()));
        }
      }
      case ENDED -> {
        Decision decision = Answers.decision(message.getEnded().getDecision());
        if (decision.allowed()) {
          throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
        }
        tell(new WatchEvent.Ended(decision, cause(message.getEnded().getCause())));
        finish();
      }
      default -> broke(new UsherFault(UsherFault.Kind.UNAVAILABLE));
    }
  }

  private void answered(Decision decision) {
    backoff.reset();
    Decision before = last;
    last = decision;
    if (before == null || (decision.allowed() && differs(before, decision))) {
      tell(new WatchEvent.Decided(decision));
    } else if (differs(before, decision)) {
      tell(new WatchEvent.Changed(decision, "UNSPECIFIED"));
    }
  }

  private static boolean differs(Decision one, Decision other) {
    return one.allowed() != other.allowed() || !one.reason().equals(other.reason());
  }

  /** An old server told it, which says nothing of its own accord. */
  private void askAgainLater(Decision decision) {
    answered(decision);
    long valid = validFor(decision);
    limit = now() + Math.min(SILENCE_OF_ONCE, valid);
    after(Math.max(SHORTEST_LOOK, Math.min(valid / 2, LONGEST_LOOK)), this::askAgain);
  }

  private void broke(UsherFault fault) {
    limit = now() + Math.min(maxSilence - sinceHeard(), validFor(last));
    tryLater(fault);
  }

  private void failed(UsherFault fault) {
    if (last == null) {
      deliver(() -> listener.onFault(fault.here()));
      finish();
    } else {
      tryLater(fault);
    }
  }

  private void tryLater(UsherFault fault) {
    endCall();
    why = fault;
    long left = limit - now();
    if (left <= 0) {
      tellUnknown();
      return;
    }
    after(Math.min(left, backoff.take()), this::askAgain);
  }

  private void askAgain() {
    long left;
    synchronized (this) {
      if (over) {
        return;
      }
      left = limit - now();
      if (left <= 0) {
        tellUnknown();
        return;
      }
    }
    ask(Math.min(left, options.deadline().toNanos()));
  }

  /** Timers do not know of a machine's sleep: whether it has slept is looked at meanwhile. */
  private void watchSilence(WatchCall of, long wait) {
    after(
        Math.min(wait, LOOKS_EVERY) + 1,
        () -> {
          synchronized (this) {
            if (over || call != of) {
              return;
            }
            long left = maxSilence - sinceHeard();
            if (left < 0) {
              broke(new UsherFault(UsherFault.Kind.UNAVAILABLE));
            } else {
              watchSilence(of, left);
            }
          }
        });
  }

  private void tell(WatchEvent event) {
    if (!over && !deliver(() -> listener.onEvent(event))) {
      // Whoever listens so slowly is told that nothing is known.
      deliveries.clear();
      tellUnknown();
    }
  }

  private void tellUnknown() {
    UsherFault fault = why.here();
    deliver(() -> listener.onEvent(new WatchEvent.Unknown(fault)));
    finish();
  }

  private boolean deliver(Runnable telling) {
    return deliveries.add(telling);
  }

  private void finish() {
    synchronized (this) {
      if (over) {
        return;
      }
      over = true;
      giveTurnBack();
      endCall();
      if (timer != null) {
        timer.cancel(false);
      }
    }
    whenOver.accept(this);
  }

  private void endCall() {
    if (call != null) {
      call.cancel();
      call = null;
    }
  }

  /** Sets the one timer. */
  private void after(long nanos, Runnable what) {
    if (timer != null) {
      timer.cancel(false);
    }
    try {
      timer = timers.schedule(what, nanos, TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException closing) {
      timer = null;
    }
  }

  private void heard() {
    heardAt = now();
    heardAtMillis = clocks.millis().getAsLong();
  }

  /** The wall clock counts, too: it goes on while a machine sleeps, and the other one does not. */
  private long sinceHeard() {
    long wall = TimeUnit.MILLISECONDS.toNanos(clocks.millis().getAsLong() - heardAtMillis);
    return Math.max(now() - heardAt, wall);
  }

  private long now() {
    return clocks.nanos().getAsLong();
  }

  /** How long it stands by the calendar. A denial stands until somebody says something else. */
  private long validFor(Decision decision) {
    if (!decision.allowed() || decision.validUntil().isEmpty()) {
      return TimeUnit.DAYS.toNanos(365);
    }
    long millis = decision.validUntil().orElseThrow().toEpochMilli() - clocks.millis().getAsLong();
    return TimeUnit.MILLISECONDS.toNanos(Math.min(millis, TimeUnit.DAYS.toMillis(365)));
  }

  private static String cause(Cause wire) {
    return Answers.word(wire, Cause.UNRECOGNIZED, "CAUSE_");
  }
}
