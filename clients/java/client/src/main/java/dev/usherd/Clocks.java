package dev.usherd;

import java.util.function.LongSupplier;

/**
 * The two clocks.
 *
 * @param nanos a clock that never goes back, in nanoseconds
 * @param millis the wall clock, in milliseconds of the epoch
 */
record Clocks(LongSupplier nanos, LongSupplier millis) {
  static final Clocks REAL = new Clocks(System::nanoTime, System::currentTimeMillis);
}
