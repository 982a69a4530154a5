package dev.usherd;

import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Mode;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.atomic.AtomicBoolean;

/** One stream of a watch: it hands on what comes, and that it ended. */
final class WatchCall extends ClientCall.Listener<AuthorizeResponse> {

  /** Hears of the stream. */
  interface Owner {
    void message(WatchCall call, AuthorizeResponse message);

    void ended(WatchCall call, UsherFault fault);
  }

  private final Owner owner;
  private final WatchChannels channels;
  private final WatchChannels.Place place;
  private final AtomicBoolean left = new AtomicBoolean();
  private ClientCall<AuthorizeRequest, AuthorizeResponse> call;

  private WatchCall(Owner owner, WatchChannels channels) {
    this.owner = owner;
    this.channels = channels;
    place = channels.take();
  }

  /** Begins it; the owner has its lock. Throws CLOSED. */
  static WatchCall begin(
      WatchChannels channels, Metadata shown, Question question, AskOptions options, Owner owner) {
    WatchCall begun = new WatchCall(owner, channels);
    try {
      begun.call = begun.place.wire.authorize(CallOptions.DEFAULT, shown, begun);
      begun.call.request(8);
      begun.call.sendMessage(
          AuthorizeRequest.newBuilder()
              .setQuestion(question.message())
              .setOptions(options.message())
              .setMode(Mode.MODE_WATCH)
              .build());
      begun.call.halfClose();
      return begun;
    } catch (RuntimeException notBegun) {
      begun.leave();
      throw notBegun;
    }
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
    leave();
    owner.ended(this, status.isOk() ? null : StatusDetails.fault(status, trailers));
  }

  /** Only a call that has ended gives its place back: before that, the server counts it. */
  private void leave() {
    if (!left.getAndSet(true)) {
      channels.leave(place);
    }
  }
}
