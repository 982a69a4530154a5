package dev.usherd.grpc;

import io.grpc.Context;
import io.grpc.ServerCall;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Keeps what comes of a call until it is known whether it is served. No message comes before one is asked for. */
final class LateListener<Q> extends ServerCall.Listener<Q> {

  private final Context context = Context.current();
  private final Runnable whenOver;
  private final BooleanSupplier cut;
  private List<Runnable> waiting = new ArrayList<>();
  private ServerCall.Listener<Q> serving;

  LateListener(Runnable whenOver, BooleanSupplier cut) {
    this.whenOver = whenOver;
    this.cut = cut;
  }

  /** It is served from now on. */
  void serve(Supplier<ServerCall.Listener<Q>> begin) {
    synchronized (this) {
      Context before = context.attach();
      try {
        serving = begin.get();
      } finally {
        context.detach(before);
      }
      // In order, and before whatever comes next.
      waiting.forEach(Runnable::run);
      waiting = null;
    }
  }

  private void tell(Runnable what) {
    synchronized (this) {
      if (serving == null) {
        waiting.add(what);
        return;
      }
    }
    what.run();
  }

  @Override
  public void onMessage(Q message) {
    tell(() -> serving.onMessage(message));
  }

  @Override
  public void onHalfClose() {
    tell(() -> serving.onHalfClose());
  }

  @Override
  public void onReady() {
    tell(() -> serving.onReady());
  }

  @Override
  public void onCancel() {
    whenOver.run();
    tell(() -> serving.onCancel());
  }

  @Override
  public void onComplete() {
    whenOver.run();
    // Whatever makes the answer of a call that was cut ends as it does when its client has gone.
    tell(() -> {
      if (cut.getAsBoolean()) {
        serving.onCancel();
      } else {
        serving.onComplete();
      }
    });
  }
}
