package dev.usherd;

import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.BatchCheckRequest;
import dev.usherd.v1.BatchCheckResponse;
import dev.usherd.v1.Mode;
import io.grpc.CallOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Questions that are asked by themselves: one, or a batch. Each throws CALLER_UNKNOWN where the caller cannot be shown. */
final class SingleAsk {

  private SingleAsk() {}

  /** The answer, or the UsherFault that there is in its place. Cancelling it cancels the call. */
  static CompletableFuture<Decision> ask(
      Wire wire, Question question, AskOptions options, long nanos, BooleanSupplier closed) {
    SingleCall<AuthorizeResponse, Decision> ask = new SingleCall<>(SingleAsk::decision, closed);
    return ask.send(
        wire.authorize(CallOptions.DEFAULT.withDeadlineAfter(nanos, TimeUnit.NANOSECONDS), wire.shown(), ask),
        AuthorizeRequest.newBuilder()
            .setQuestion(question.message())
            .setOptions(options.message())
            .setMode(Mode.MODE_ONCE)
            .build());
  }

  /** The answers in the order of the questions, or the UsherFault that there is in their place. */
  static CompletableFuture<List<BatchResult>> ask(Wire wire, Batch batch, AskOptions options, BooleanSupplier closed) {
    int items = batch.questions().size();
    SingleCall<BatchCheckResponse, List<BatchResult>> ask = new SingleCall<>(answer -> results(answer, items), closed);
    BatchCheckRequest.Builder request =
        BatchCheckRequest.newBuilder()
            // What is no text, or too long, is asked as something that is denied.
            .setToken(Question.builder(batch.token(), "").build().message().getToken())
            .setOptions(options.message());
    for (int each = 0; each < items; each++) {
      request.addItems(
          BatchCheckRequest.Item.newBuilder()
              .setId(Integer.toString(each))
              .setQuestion(batch.questions().get(each).message()));
    }
    return ask.send(
        wire.batchCheck(
            CallOptions.DEFAULT.withDeadlineAfter(options.deadline().toNanos(), TimeUnit.NANOSECONDS),
            wire.shown(),
            ask),
        request.build());
  }

  private static Decision decision(AuthorizeResponse only) {
    if (!only.hasDecision()) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    Mode mode = only.getTerms().getMode();
    if (mode != Mode.MODE_UNSPECIFIED && mode != Mode.MODE_ONCE) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    return Answers.decision(only.getDecision());
  }

  private static List<BatchResult> results(BatchCheckResponse answer, int items) {
    if (answer.getResultsCount() != items) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    List<BatchResult> results = new ArrayList<>(items);
    for (BatchCheckResponse.Result each : answer.getResultsList()) {
      if (!each.getId().equals(Integer.toString(results.size()))) {
        throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
      }
      results.add(result(each));
    }
    return List.copyOf(results);
  }

  private static BatchResult result(BatchCheckResponse.Result wire) {
    return switch (wire.getResultCase()) {
      case FAULT -> BatchResult.of(Answers.fault(wire.getFault()));
      case DECISION -> {
        try {
          yield BatchResult.of(Answers.decision(wire.getDecision()));
        } catch (UsherFault bad) {
          yield BatchResult.of(bad);
        }
      }
      default -> BatchResult.of(new UsherFault(UsherFault.Kind.BAD_ANSWER));
    };
  }
}
