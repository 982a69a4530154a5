package dev.usherd;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Looks for a server that has gone after 0.1 s, then less often, every 5 s at least. gRPC's own waits grow to two minutes, in
 * which a gateway would refuse everybody although usherd is back.
 */
final class Reconnecting {

  private final ManagedChannel channel;
  private final ScheduledExecutorService timers;
  private final Backoff backoff = new Backoff(TimeUnit.MILLISECONDS.toNanos(100), TimeUnit.SECONDS.toNanos(5), 0.2);

  private Reconnecting(ManagedChannel channel, ScheduledExecutorService timers) {
    this.channel = channel;
    this.timers = timers;
  }

  /** From now on, until the channel is shut down. Returns it. */
  static ManagedChannel soon(ManagedChannel channel, ScheduledExecutorService timers) {
    new Reconnecting(channel, timers).look();
    return channel;
  }

  private synchronized void look() {
    ConnectivityState state = channel.getState(false);
    switch (state) {
      case SHUTDOWN -> {}
      case TRANSIENT_FAILURE -> {
        try {
          timers.schedule(this::tryNow, backoff.take(), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException closing) {
          // Nobody asks any more.
        }
      }
      default -> {
        if (state == ConnectivityState.READY) {
          backoff.reset();
        }
        channel.notifyWhenStateChanged(state, this::look);
      }
    }
  }

  private void tryNow() {
    if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
      channel.resetConnectBackoff();
    }
    look();
  }
}
