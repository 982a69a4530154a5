package dev.usherd;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** Asks the cache first, and by itself what the cache does not take. */
final class CachedAsking {

  /** Asks one question by itself. */
  interface ByItself {
    CompletableFuture<Decision> ask(Question question, AskOptions options, long nanos);
  }

  private final LiveCache cache;
  private final Clocks clocks;
  private final ScheduledExecutorService timers;
  private final Executor executor;
  private final ByItself byItself;

  CachedAsking(
      LiveCache cache, Clocks clocks, ScheduledExecutorService timers, Executor executor, ByItself byItself) {
    this.cache = cache;
    this.clocks = clocks;
    this.timers = timers;
    this.executor = executor;
    this.byItself = byItself;
  }

  CacheStatistics statistics() {
    return cache.statistics();
  }

  boolean isOpen() {
    return cache.isOpen();
  }

  void close() {
    cache.close();
  }

  /** The decision. Throws UsherFault. */
  Decision authorize(Question question, AskOptions options) {
    Decision hit = cache.hit(question);
    if (hit != null) {
      return hit;
    }
    long nanos = options.deadline().toNanos();
    long until = clocks.nanos().getAsLong() + nanos;
    CompletableFuture<Decision> told = cache.join(question);
    if (told != null) {
      try {
        // Additions are answered one after the other: a slow one must not make faults of others.
        return Waiting.within(told, nanos / 2);
      } catch (LiveCache.ByItself notTold) {
        nanos = until - clocks.nanos().getAsLong();
      } finally {
        if (told.isCancelled()) {
          cache.leave(question, told);
        }
      }
    }
    if (nanos <= 0) {
      throw new UsherFault(UsherFault.Kind.OUT_OF_TIME);
    }
    cache.tally.askedByItself.increment();
    return Waiting.on(byItself.ask(question, options, nanos), nanos);
  }

  /** The same, without waiting. Whatever is done with the answer is done on another thread than the stream's. */
  CompletableFuture<Decision> authorizeAsync(Question question, AskOptions options) {
    Decision hit = cache.hit(question);
    if (hit != null) {
      return CompletableFuture.completedFuture(hit);
    }
    long nanos = options.deadline().toNanos();
    CompletableFuture<Decision> told = cache.join(question);
    if (told == null) {
      cache.tally.askedByItself.increment();
      return byItself.ask(question, options, nanos);
    }
    CompletableFuture<Decision> answer = new CompletableFuture<>();
    long until = clocks.nanos().getAsLong() + nanos;
    ScheduledFuture<?> patience;
    try {
      patience =
          timers.schedule(
              () -> told.completeExceptionally(LiveCache.ByItself.INSTANCE), nanos / 2, TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException closing) {
      return CompletableFuture.failedFuture(new UsherFault(UsherFault.Kind.CLOSED));
    }
    told.whenComplete(
        (decision, failure) -> {
          patience.cancel(false);
          if (decision == null) {
            cache.leave(question, told);
          }
          handOver(() -> settle(question, options, until, answer, decision, failure), answer);
        });
    answer.whenComplete(
        (decision, failure) -> {
          if (failure instanceof CancellationException) {
            told.cancel(true);
          }
        });
    return answer;
  }

  private void settle(
      Question question,
      AskOptions options,
      long until,
      CompletableFuture<Decision> answer,
      Decision decision,
      Throwable failure) {
    if (decision != null) {
      answer.complete(decision);
    } else if (failure instanceof LiveCache.ByItself) {
      long left = until - clocks.nanos().getAsLong();
      if (left <= 0) {
        answer.completeExceptionally(new UsherFault(UsherFault.Kind.OUT_OF_TIME));
        return;
      }
      cache.tally.askedByItself.increment();
      CompletableFuture<Decision> asked = byItself.ask(question, options, left);
      asked.whenComplete(
          (later, fault) -> {
            if (later != null) {
              answer.complete(later);
            } else {
              answer.completeExceptionally(fault);
            }
          });
      answer.whenComplete(
          (later, fault) -> {
            if (fault instanceof CancellationException) {
              asked.cancel(true);
            }
          });
    } else {
      answer.completeExceptionally(failure);
    }
  }

  private void handOver(Runnable what, CompletableFuture<Decision> answer) {
    try {
      executor.execute(what);
    } catch (RejectedExecutionException closing) {
      answer.completeExceptionally(new UsherFault(UsherFault.Kind.CLOSED));
    }
  }
}
