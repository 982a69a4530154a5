package dev.usherd;

import java.util.concurrent.ThreadLocalRandom;

/** Waits twice as long each time, up to a bound. */
final class Backoff {

  private final long first;
  private final long most;
  private final double spread;
  private long next;

  /** Times in nanoseconds; `spread` is the part by which each wait may be shorter or longer. */
  Backoff(long first, long most, double spread) {
    this.first = first;
    this.most = most;
    this.spread = spread;
    this.next = first;
  }

  /** The wait that comes now. */
  long take() {
    long wait = next;
    next = Math.min(most, wait * 2);
    double factor = spread == 0 ? 1 : 1 + ThreadLocalRandom.current().nextDouble(-spread, spread);
    return (long) (wait * factor);
  }

  void reset() {
    next = first;
  }
}
