package dev.usherd.examples;

import dev.usherd.AskOptions;
import dev.usherd.Decision;
import dev.usherd.Question;
import dev.usherd.UsherClient;
import dev.usherd.UsherFault;
import java.time.Duration;

/** Asks one question, and tells an allowance, a denial and a fault apart. */
public final class Ask {

  private Ask() {}

  /**
   * Asks.
   *
   * @param arguments the target and the token
   */
  public static void main(String[] arguments) {
    try (var usherd = UsherClient.builder(arguments[0]).build()) {
      Decision decision =
          usherd.authorize(
              Question.builder(arguments[1], "/v1/chat/completions").model("gpt-4o").build(),
              // A program that has only just begun is slower than a gateway that runs.
              AskOptions.defaults().deadline(Duration.ofSeconds(10)));
      if (decision.allowed()) {
        System.out.println("call " + decision.resolvedModel());
      } else {
        System.out.println("answer " + decision.httpStatus() + ": " + decision.message());
      }
    } catch (UsherFault fault) {
      // No decision: refuse the request, as if it were not allowed.
      System.out.println("answer 503: " + fault.kind());
    }
  }
}
