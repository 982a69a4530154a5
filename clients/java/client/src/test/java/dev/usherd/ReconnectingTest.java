package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** A server that went away is looked for often. */
class ReconnectingTest {

  private static final Question Q = Question.builder("t", "/v1/chat/completions").build();

  /** gRPC's own waits of 1, 1.6, 2.6 and 4.1 s would be four tries in this time. */
  @Test
  void a_server_that_went_away_is_looked_for_often() throws Exception {
    AtomicInteger tries = new AtomicInteger();
    try (ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread slamming =
          new Thread(
              () -> {
                try {
                  while (true) {
                    door.accept().close();
                    tries.incrementAndGet();
                  }
                } catch (IOException closed) {
                  // The test is over.
                }
              });
      slamming.start();
      try (UsherClient client = UsherClient.builder("127.0.0.1:" + door.getLocalPort()).build()) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(8);
        while (tries.get() < 6 && System.nanoTime() - end < 0) {
          AskOptions soon = AskOptions.defaults().deadline(Duration.ofMillis(200));
          assertThrows(UsherFault.class, () -> client.authorize(Q, soon));
          Thread.sleep(20);
        }
      }
      assertTrue(tries.get() >= 6, "tried only " + tries);
    }
  }
}
