package dev.usherd;

import java.util.concurrent.Callable;

/** Waits for what comes soon. */
final class Eventually {

  private Eventually() {}

  static void holds(String what, Callable<Boolean> condition) throws Exception {
    long until = System.nanoTime() + 8_000_000_000L;
    while (!condition.call()) {
      if (System.nanoTime() > until) {
        throw new AssertionError("not within 8 s: " + what);
      }
      Thread.sleep(2);
    }
  }
}
