package dev.usherd;

import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Mode;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** One question, asked by itself: the answer counts when its stream then ends, and ends with OK. */
final class SingleAsk extends ClientCall.Listener<AuthorizeResponse> {

  private final CompletableFuture<Decision> answer = new CompletableFuture<>();
  private AuthorizeResponse only;
  private boolean several;

  private final BooleanSupplier closed;

  private SingleAsk(BooleanSupplier closed) {
    this.closed = closed;
  }

  /**
   * The answer, or the UsherFault that there is in its place. Cancelling it cancels the call. Throws CALLER_UNKNOWN where
   * the caller cannot be shown.
   */
  static CompletableFuture<Decision> ask(
      Wire wire, Question question, AskOptions options, long nanos, BooleanSupplier closed) {
    SingleAsk ask = new SingleAsk(closed);
    ClientCall<AuthorizeRequest, AuthorizeResponse> call =
        wire.authorize(CallOptions.DEFAULT.withDeadlineAfter(nanos, TimeUnit.NANOSECONDS), wire.shown(), ask);
    ask.answer.whenComplete(
        (decision, fault) -> {
          if (ask.answer.isCancelled()) {
            call.cancel("given up", null);
          }
        });
    call.request(2);
    call.sendMessage(
        AuthorizeRequest.newBuilder()
            .setQuestion(question.message())
            .setOptions(options.message())
            .setMode(Mode.MODE_ONCE)
            .build());
    call.halfClose();
    return ask.answer;
  }

  @Override
  public void onMessage(AuthorizeResponse message) {
    several = only != null;
    only = message;
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    if (!status.isOk()) {
      answer.completeExceptionally(
          closed.getAsBoolean() ? new UsherFault(UsherFault.Kind.CLOSED) : StatusDetails.fault(status, trailers));
      return;
    }
    try {
      answer.complete(decision());
    } catch (UsherFault bad) {
      answer.completeExceptionally(bad);
    }
  }

  private Decision decision() {
    if (only == null || several || !only.hasDecision()) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    Mode mode = only.getTerms().getMode();
    if (mode != Mode.MODE_UNSPECIFIED && mode != Mode.MODE_ONCE) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    return Answers.decision(only.getDecision());
  }
}
