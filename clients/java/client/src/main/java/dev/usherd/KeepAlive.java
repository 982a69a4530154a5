package dev.usherd;

import java.time.Duration;

/**
 * When a peer that is gone without a word is noticed, while a call is under way.
 *
 * @param time without a word, after which it is pinged; gRPC takes 10 s at least
 * @param timeout how long its answer may take
 */
record KeepAlive(Duration time, Duration timeout) {
  /** A server takes a ping each 30 s, and ends connections that send more. */
  static final KeepAlive REAL = new KeepAlive(Duration.ofMinutes(1), Duration.ofSeconds(20));
}
