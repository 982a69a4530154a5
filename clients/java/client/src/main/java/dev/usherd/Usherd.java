package dev.usherd;

import java.util.concurrent.CompletableFuture;

/**
 * Answers questions: {@link UsherClient} does, and so does a {@code FakeUsherd} in tests.
 *
 * <p>Every answer is a {@link Decision}, allowed or denied, or a {@link UsherFault}: no decision. Only {@link
 * Decision#allowed()} lets a request pass.
 */
public interface Usherd extends AutoCloseable {

  /**
   * May the holder of this token call this route with this model?
   *
   * @param question the question
   * @return the decision
   * @throws UsherFault where there is none
   */
  default Decision authorize(Question question) {
    return authorize(question, AskOptions.defaults());
  }

  /**
   * May the holder of this token call this route with this model?
   *
   * @param question the question
   * @param options a deadline, or what else is wanted
   * @return the decision
   * @throws UsherFault where there is none
   */
  Decision authorize(Question question, AskOptions options);

  /**
   * The same, without waiting.
   *
   * @param question the question
   * @return the decision to come; it fails with a {@link UsherFault} where there is none
   */
  default CompletableFuture<Decision> authorizeAsync(Question question) {
    return authorizeAsync(question, AskOptions.defaults());
  }

  /**
   * The same, without waiting.
   *
   * @param question the question
   * @param options a deadline, or what else is wanted
   * @return the decision to come; it fails with a {@link UsherFault} where there is none
   */
  CompletableFuture<Decision> authorizeAsync(Question question, AskOptions options);

  /**
   * Tells what becomes of a question, for what lasts: a streamed completion, the run of an agent.
   *
   * @param question the question
   * @param listener is told the first decision, and then what becomes of it
   * @return what ends it
   */
  default Watching watch(Question question, WatchListener listener) {
    return watch(question, AskOptions.defaults(), listener);
  }

  /**
   * Tells what becomes of a question.
   *
   * @param question the question
   * @param options whose deadline is that of the first decision
   * @param listener is told the first decision, and then what becomes of it
   * @return what ends it
   */
  Watching watch(Question question, AskOptions options, WatchListener listener);

  /** Ends it: what is under way ends with a fault, and what is watched is unknown. */
  @Override
  void close();
}
