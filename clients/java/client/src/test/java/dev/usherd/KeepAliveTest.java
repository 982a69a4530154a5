package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** A peer that is gone without a word: its connection stays open, and says nothing any more. */
class KeepAliveTest {

  private static final Question Q = Question.builder("t", "/r").model("m").build();
  private static final AskOptions SOON = AskOptions.defaults().deadline(Duration.ofMillis(500));

  @Test
  void a_connection_whose_peer_is_gone_without_a_word_is_left() throws Exception {
    Warm.up();
    KeepAlive soon = new KeepAlive(Duration.ofSeconds(10), Duration.ofMillis(500));
    try (ScriptedServer server = new ScriptedServer();
        Swallowing network = new Swallowing(server.target());
        UsherClient client = UsherClient.builder(network.target()).keepAlive(soon).build()) {
      assertTrue(client.authorize(Q).allowed());
      network.lose();
      long lost = System.nanoTime();
      int unanswered = 0;
      while (true) {
        try {
          assertTrue(client.authorize(Q, SOON).allowed());
          break;
        } catch (UsherFault none) {
          unanswered++;
        }
        assertTrue(seconds(lost) < 30, "it is still asked on the connection that was lost");
      }
      assertTrue(unanswered > 0 && seconds(lost) > 5, "nothing was lost");
    }
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) / 1e9;
  }

  @Test
  void pings_are_no_more_than_a_server_takes() throws Exception {
    Path options = Path.of(System.getProperty("usherd.root"), "server", "usherd", "rpc", "options.py");
    Matcher taken =
        Pattern.compile("min_ping_interval_without_data_ms\", ([0-9_]+)").matcher(Files.readString(options));
    assertTrue(taken.find());
    long each = Long.parseLong(taken.group(1).replace("_", ""));
    assertTrue(KeepAlive.REAL.time().toMillis() >= 2 * each, "the server takes a ping each " + each + " ms");
  }
}
