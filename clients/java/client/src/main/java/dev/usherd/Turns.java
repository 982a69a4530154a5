package dev.usherd;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Lets the calls of watches begin no faster than a server takes them up, which refuses what comes faster: a gateway may come
 * back with a thousand of them. Any thread may use it.
 */
final class Turns {

  /** Calls that begin in one moment. */
  static final int AT_ONCE = 24;

  /** Nanoseconds between those that follow. */
  static final long PACE = TimeUnit.MILLISECONDS.toNanos(1);

  private final LongSupplier now;
  private long last;

  /** By a clock in nanoseconds that never goes back. */
  Turns(LongSupplier now) {
    this.now = now;
    last = now.getAsLong() - AT_ONCE * PACE;
  }

  /** How many nanoseconds the next call has to wait before it begins; 0: none. */
  synchronized long take() {
    long present = now.getAsLong();
    long earliest = present - AT_ONCE * PACE;
    last = (last - earliest < 0 ? earliest : last) + PACE;
    return Math.max(0, last - present);
  }

  /** A turn was not used: whoever gives up makes nobody wait. */
  synchronized void giveBack() {
    last -= PACE;
  }
}
