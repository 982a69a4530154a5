package dev.usherd.testing;

import dev.usherd.AskOptions;
import dev.usherd.Batch;
import dev.usherd.BatchResult;
import dev.usherd.Decision;
import dev.usherd.ListDenied;
import dev.usherd.Model;
import dev.usherd.Question;
import dev.usherd.Usherd;
import dev.usherd.UsherFault;
import dev.usherd.WatchEvent;
import dev.usherd.WatchListener;
import dev.usherd.Watching;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * An usherd for tests of those who use this client: it answers what it is told to, without a network.
 *
 * <pre>{@code
 * var usherd = new FakeUsherd();
 * usherd.answer("alice", FakeDecision.allowed().userId("alice").model("gpt-4o").build());
 * usherd.answer("bob", FakeDecision.denied("TEAM_BLOCKED").build());
 * }</pre>
 *
 * <p>As the real one it fails closed: a token that it was told nothing of is denied. What becomes of an answer is told
 * to those who watch, in the thread of the test, before the method that says so returns.
 */
public final class FakeUsherd implements Usherd {

  private final Map<String, Function<Question, Decision>> answers = new ConcurrentHashMap<>();
  private final List<Question> asked = new CopyOnWriteArrayList<>();
  private final List<Watched> watches = new CopyOnWriteArrayList<>();
  private volatile UsherFault fault;
  private volatile List<String> models = List.of();

  /** One that denies every token. */
  public FakeUsherd() {}

  /**
   * Every question with that token is answered so; who watches one is told of a change.
   *
   * @param token the token
   * @param decision the answer
   * @return this
   */
  public FakeUsherd answer(String token, Decision decision) {
    return answer(token, question -> decision);
  }

  /**
   * Questions with that token are answered by a function; who watches one is told of a change.
   *
   * @param token the token
   * @param decision gives the answer; it may throw a {@link UsherFault}
   * @return this
   */
  public FakeUsherd answer(String token, Function<Question, Decision> decision) {
    boolean before = answers.put(token, decision) != null;
    for (Watched each : watches) {
      if (before && each.question.token().equals(token)) {
        each.listener.onEvent(new WatchEvent.Changed(decision.apply(each.question), "DIRECTORY"));
      }
    }
    return this;
  }

  /**
   * The token is revoked: it is denied from now on, and what is watched with it has ended.
   *
   * @param token the token
   * @return this
   */
  public FakeUsherd revoke(String token) {
    Decision denial = FakeDecision.denied("TOKEN_REVOKED").build();
    answers.put(token, question -> denial);
    for (Watched each : watches) {
      if (each.question.token().equals(token) && watches.remove(each)) {
        each.listener.onEvent(new WatchEvent.Ended(denial, "TOKEN_REVOKED"));
      }
    }
    return this;
  }

  /**
   * Nobody answers from now on; what is watched is unknown.
   *
   * @param kind the fault of every question
   * @return this
   */
  public FakeUsherd breakDown(UsherFault.Kind kind) {
    fault = new UsherFault(kind);
    for (Watched each : watches) {
      if (watches.remove(each)) {
        each.listener.onEvent(new WatchEvent.Unknown(new UsherFault(kind)));
      }
    }
    return this;
  }

  /**
   * The models that {@link #listModels} chooses from: it asks about each as {@link #authorize} does.
   *
   * @param names their names
   * @return this
   */
  public FakeUsherd models(String... names) {
    models = Stream.of(names).sorted().toList();
    return this;
  }

  /**
   * It answers again.
   *
   * @return this
   */
  public FakeUsherd mend() {
    fault = null;
    return this;
  }

  /**
   * What was asked, in order; a question that is watched is among it.
   *
   * @return the questions
   */
  public List<Question> asked() {
    return new ArrayList<>(asked);
  }

  /**
   * How many questions are being watched.
   *
   * @return those that are neither closed nor at their end
   */
  public int watched() {
    return watches.size();
  }

  @Override
  public Decision authorize(Question question, AskOptions options) {
    asked.add(question);
    UsherFault broken = fault;
    if (broken != null) {
      throw new UsherFault(broken.kind());
    }
    Function<Question, Decision> answer = answers.get(question.token());
    return answer != null
        ? answer.apply(question)
        : FakeDecision.denied(question.token().isEmpty() ? "TOKEN_MISSING" : "SIGNATURE_INVALID").build();
  }

  @Override
  public CompletableFuture<Decision> authorizeAsync(Question question, AskOptions options) {
    try {
      return CompletableFuture.completedFuture(authorize(question, options));
    } catch (UsherFault broken) {
      return CompletableFuture.failedFuture(broken);
    }
  }

  @Override
  public List<BatchResult> batchCheck(Batch batch, AskOptions options) {
    whole();
    return batch.questions().stream()
        .map(each -> result(each.token().isEmpty() ? each.toBuilder().token(batch.token()).build() : each, options))
        .toList();
  }

  private BatchResult result(Question question, AskOptions options) {
    try {
      return BatchResult.of(authorize(question, options));
    } catch (UsherFault none) {
      return BatchResult.of(none);
    }
  }

  @Override
  public CompletableFuture<List<BatchResult>> batchCheckAsync(Batch batch, AskOptions options) {
    try {
      return CompletableFuture.completedFuture(batchCheck(batch, options));
    } catch (UsherFault broken) {
      return CompletableFuture.failedFuture(broken);
    }
  }

  @Override
  public List<Model> listModels(Question question, AskOptions options) {
    whole();
    List<Model> allowed = new ArrayList<>();
    for (String each : models) {
      Decision decision = authorize(question.toBuilder().model(each).build(), options);
      if (decision.allowed()) {
        String resolved = decision.resolvedModel();
        allowed.add(new Model(each, resolved.isEmpty() ? each : resolved));
      }
    }
    if (allowed.isEmpty()) {
      Decision decision = authorize(question.toBuilder().model(null).build(), options);
      if (!decision.allowed()) {
        throw new ListDenied(decision);
      }
    }
    return List.copyOf(allowed);
  }

  @Override
  public CompletableFuture<List<Model>> listModelsAsync(Question question, AskOptions options) {
    try {
      return CompletableFuture.completedFuture(listModels(question, options));
    } catch (UsherFault | ListDenied instead) {
      return CompletableFuture.failedFuture(instead);
    }
  }

  private void whole() {
    UsherFault broken = fault;
    if (broken != null) {
      throw new UsherFault(broken.kind());
    }
  }

  @Override
  public Watching watch(Question question, AskOptions options, WatchListener listener) {
    Watched watched = new Watched(question, listener);
    Decision decision;
    try {
      decision = authorize(question, options);
    } catch (UsherFault broken) {
      listener.onFault(broken);
      return () -> {};
    }
    watches.add(watched);
    listener.onEvent(new WatchEvent.Decided(decision));
    return () -> watches.remove(watched);
  }

  @Override
  public void close() {
    breakDown(UsherFault.Kind.CLOSED);
  }

  private static final class Watched {
    final Question question;
    final WatchListener listener;

    Watched(Question question, WatchListener listener) {
      this.question = question;
      this.listener = listener;
    }
  }
}
