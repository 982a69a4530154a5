package dev.usherd;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waits for an answer in the thread of whoever asks. */
final class Waiting {

  /** gRPC keeps the deadline itself; this is for the case that it does not. */
  private static final long GRACE = TimeUnit.SECONDS.toNanos(1);

  private Waiting() {}

  /** The answer to a call that has a deadline of its own. Throws UsherFault, or ListDenied. */
  static <T> T on(CompletableFuture<T> answer, long nanos) {
    try {
      return within(answer, nanos + GRACE);
    } catch (LiveCache.ByItself late) {
      throw new UsherFault(UsherFault.Kind.OUT_OF_TIME);
    }
  }

  /** The answer, if it comes in time; what does not is cancelled. Throws UsherFault, or ByItself: also then. */
  static <T> T within(CompletableFuture<T> answer, long nanos) {
    try {
      return answer.get(nanos, TimeUnit.NANOSECONDS);
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof UsherFault fault) {
        throw fault.here();
      }
      if (failed.getCause() instanceof LiveCache.ByItself byItself) {
        throw byItself;
      }
      if (failed.getCause() instanceof ListDenied denied) {
        throw denied.here();
      }
      throw new UsherFault(UsherFault.Kind.INTERNAL);
    } catch (TimeoutException tooLate) {
      answer.cancel(true);
      throw LiveCache.ByItself.INSTANCE;
    } catch (InterruptedException interrupted) {
      answer.cancel(true);
      Thread.currentThread().interrupt();
      throw new UsherFault(UsherFault.Kind.INTERRUPTED);
    }
  }
}
