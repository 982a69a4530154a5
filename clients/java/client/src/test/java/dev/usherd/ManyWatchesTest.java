package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A gateway with more under way than usherd takes on one connection (100). */
@Tag("daemon")
class ManyWatchesTest {

  private static final int MANY = 150;
  private static final AskOptions ROOMY = AskOptions.defaults().deadline(Duration.ofSeconds(30));

  @Test
  void a_question_does_not_wait_behind_those_that_are_watched_and_all_are_told() throws Exception {
    Warm.up();
    Heard told = new Heard();
    try (StoryServer usherd = new StoryServer();
        UsherClient client = UsherClient.builder(usherd.target).build()) {
      JsonObject ask =
          usherd.post("lab/begin", "{\"teams\":1}").getAsJsonArray("asks").get(0).getAsJsonObject();
      Question question = StoryServer.question(ask);
      List<Watching> watches = new ArrayList<>();
      for (int each = 0; each < MANY; each++) {
        watches.add(client.watch(question, ROOMY, told));
        // A server refuses some of what begins in hundreds in one moment (server.limits.backlog).
        var decided = assertInstanceOf(WatchEvent.Decided.class, told.all.poll(30, TimeUnit.SECONDS));
        assertTrue(decided.decision().allowed());
      }
      assertEquals(List.of(64, 64, MANY - 128), client.watchCalls());
      assertTrue(client.authorize(question, AskOptions.defaults().deadline(Duration.ofSeconds(5))).allowed());

      usherd.post("lab/flip", "{\"team\":0,\"blocked\":true}");
      for (int each = 0; each < MANY; each++) {
        var changed = assertInstanceOf(WatchEvent.Changed.class, told.all.poll(30, TimeUnit.SECONDS));
        assertEquals("TEAM_BLOCKED", changed.decision().reason());
      }
      watches.forEach(Watching::close);
      Eventually.holds("one connection is left", () -> client.watchCalls().equals(List.of(0)));
    }
  }
}
