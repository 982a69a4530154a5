package dev.usherd.examples;

import dev.usherd.AskOptions;
import dev.usherd.Question;
import dev.usherd.UsherClient;
import dev.usherd.UsherFault;
import dev.usherd.WatchEvent;
import dev.usherd.WatchListener;
import dev.usherd.Watching;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Runs for as long as it is allowed to. */
public final class Agent {

  private Agent() {}

  /**
   * Runs for a minute at most.
   *
   * @param arguments the target and the token
   * @throws InterruptedException when it is interrupted
   */
  public static void main(String[] arguments) throws InterruptedException {
    CountDownLatch stop = new CountDownLatch(1);
    WatchListener listener =
        new WatchListener() {
          @Override
          public void onEvent(WatchEvent event) {
            System.out.println(event.getClass().getSimpleName());
            if (!event.allowed()) {
              stop.countDown();
            }
          }

          @Override
          public void onFault(UsherFault fault) {
            stop.countDown();
          }
        };
    try (var usherd = UsherClient.builder(arguments[0]).build()) {
      Question question = Question.builder(arguments[1], "/v1/chat/completions").model("gpt-4o").build();
      Watching watching = usherd.watch(question, AskOptions.defaults().deadline(Duration.ofSeconds(10)), listener);
      boolean stopped = stop.await(1, TimeUnit.MINUTES);
      watching.close();
      System.out.println(stopped ? "not allowed any more" : "done");
    }
  }
}
