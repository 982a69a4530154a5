package dev.usherd;

import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Mode;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;

/** One stream of a watch: it hands on what comes, and that it ended. */
final class WatchCall extends ClientCall.Listener<AuthorizeResponse> {

  /** Hears of the stream. */
  interface Owner {
    void message(WatchCall call, AuthorizeResponse message);

    void ended(WatchCall call, UsherFault fault);
  }

  private final Owner owner;
  private ClientCall<AuthorizeRequest, AuthorizeResponse> call;

  private WatchCall(Owner owner) {
    this.owner = owner;
  }

  /** Begins it; the owner has its lock. */
  static WatchCall begin(Wire wire, Metadata shown, Question question, AskOptions options, Owner owner) {
    WatchCall begun = new WatchCall(owner);
    begun.call = wire.authorize(CallOptions.DEFAULT, shown, begun);
    begun.call.request(8);
    begun.call.sendMessage(
        AuthorizeRequest.newBuilder()
            .setQuestion(question.message())
            .setOptions(options.message())
            .setMode(Mode.MODE_WATCH)
            .build());
    begun.call.halfClose();
    return begun;
  }

  void cancel() {
    call.cancel("no longer watched", null);
  }

  @Override
  public void onMessage(AuthorizeResponse message) {
    owner.message(this, message);
    call.request(1);
  }

  /** The fault is null where the stream ended with OK. */
  @Override
  public void onClose(Status status, Metadata trailers) {
    owner.ended(this, status.isOk() ? null : StatusDetails.fault(status, trailers));
  }
}
