package dev.usherd;

import java.time.Duration;

/** Loads what a first call loads, which may take longer than a deadline of this client's own. */
final class Warm {

  private static boolean done;

  private Warm() {}

  static synchronized void up() throws Exception {
    if (!done) {
      try (ScriptedServer server = new ScriptedServer();
          UsherClient client = UsherClient.builder(server.target()).build()) {
        client.authorize(
            Question.builder("t", "/r").build(), AskOptions.defaults().deadline(Duration.ofSeconds(30)));
      }
      done = true;
    }
  }
}
