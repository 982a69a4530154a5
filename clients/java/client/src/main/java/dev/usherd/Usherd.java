package dev.usherd;

import java.util.List;
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
   * Answers many questions at once, past the cache.
   *
   * @param batch the questions
   * @return a decision or a fault for each, in their order
   * @throws UsherFault where the batch has no answer
   */
  default List<BatchResult> batchCheck(Batch batch) {
    return batchCheck(batch, AskOptions.defaults());
  }

  /**
   * Answers many questions at once, past the cache.
   *
   * @param batch the questions
   * @param options a deadline, or what else is wanted, of all of them
   * @return a decision or a fault for each, in their order
   * @throws UsherFault where the batch has no answer
   */
  List<BatchResult> batchCheck(Batch batch, AskOptions options);

  /**
   * The same, without waiting.
   *
   * @param batch the questions
   * @return the results to come; it fails with a {@link UsherFault} where there are none
   */
  default CompletableFuture<List<BatchResult>> batchCheckAsync(Batch batch) {
    return batchCheckAsync(batch, AskOptions.defaults());
  }

  /**
   * The same, without waiting.
   *
   * @param batch the questions
   * @param options a deadline, or what else is wanted, of all of them
   * @return the results to come; it fails with a {@link UsherFault} where there are none
   */
  CompletableFuture<List<BatchResult>> batchCheckAsync(Batch batch, AskOptions options);

  /**
   * The models that a token may call on a route, sorted by name.
   *
   * @param question whose model and fallbacks are not looked at
   * @return the models
   * @throws ListDenied where the question is denied, whatever the model
   * @throws UsherFault where there is no answer
   */
  default List<Model> listModels(Question question) {
    return listModels(question, AskOptions.defaults());
  }

  /**
   * The models that a token may call on a route, sorted by name.
   *
   * @param question whose model and fallbacks are not looked at
   * @param options whose deadline is that of each page of 1,000 models
   * @return the models
   * @throws ListDenied where the question is denied, whatever the model
   * @throws UsherFault where there is no answer
   */
  List<Model> listModels(Question question, AskOptions options);

  /**
   * The same, without waiting.
   *
   * @param question whose model and fallbacks are not looked at
   * @return the models to come; it fails with {@link ListDenied} or a {@link UsherFault} where there are none
   */
  default CompletableFuture<List<Model>> listModelsAsync(Question question) {
    return listModelsAsync(question, AskOptions.defaults());
  }

  /**
   * The same, without waiting.
   *
   * @param question whose model and fallbacks are not looked at
   * @param options whose deadline is that of each page of 1,000 models
   * @return the models to come; it fails with {@link ListDenied} or a {@link UsherFault} where there are none
   */
  CompletableFuture<List<Model>> listModelsAsync(Question question, AskOptions options);

  /**
   * Tells what becomes of a question, for what lasts: a streamed completion, the run of an agent. It writes nothing: a user
   * who is yet to be provisioned has to be asked about by {@link #authorize} first.
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
