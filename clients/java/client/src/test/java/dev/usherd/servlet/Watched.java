package dev.usherd.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.usherd.testing.FakeUsherd;

/** Waits until a request is watched beside its answer. */
final class Watched {

  private Watched() {}

  static void one(FakeUsherd usherd) throws InterruptedException {
    for (int each = 0; each < 1000 && usherd.watched() == 0; each++) {
      Thread.sleep(5);
    }
    assertEquals(1, usherd.watched());
  }
}
