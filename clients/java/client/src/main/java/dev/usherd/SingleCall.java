package dev.usherd;

import com.google.protobuf.MessageLite;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/** One call with one answer, which counts when the call then ends, and ends with OK. */
final class SingleCall<A extends MessageLite, T> extends ClientCall.Listener<A> {

  private final CompletableFuture<T> answer = new CompletableFuture<>();
  private final Function<A, T> reading;
  private final BooleanSupplier closed;
  private A only;
  private boolean several;

  /** `reading` throws UsherFault, or ListDenied, in the place of what it reads. */
  SingleCall(Function<A, T> reading, BooleanSupplier closed) {
    this.reading = reading;
    this.closed = closed;
  }

  /** Sends it. Cancelling the answer cancels the call. */
  <Q> CompletableFuture<T> send(ClientCall<Q, A> call, Q request) {
    answer.whenComplete(
        (value, fault) -> {
          if (answer.isCancelled()) {
            call.cancel("given up", null);
          }
        });
    call.request(2);
    call.sendMessage(request);
    call.halfClose();
    return answer;
  }

  @Override
  public void onMessage(A message) {
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
      if (only == null || several) {
        throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
      }
      answer.complete(reading.apply(only));
    } catch (UsherFault | ListDenied instead) {
      answer.completeExceptionally(instead);
    } catch (RuntimeException bug) {
      answer.completeExceptionally(new UsherFault(UsherFault.Kind.INTERNAL));
    }
  }
}
