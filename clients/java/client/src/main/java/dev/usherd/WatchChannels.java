package dev.usherd;

import io.grpc.ManagedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The connections of what is watched, apart from that of all other calls: one more is opened where none has room, and
 * those that nobody needs are closed but one. Any thread may use it.
 */
final class WatchChannels {

  /** Calls on one connection at most. A server takes so many at least, and lets what is beyond wait without a word. */
  static final int WATCHES = 64;

  /** One connection. */
  static final class Place {
    final Wire wire;
    private final ManagedChannel channel;
    private int calls;

    private Place(ManagedChannel channel, Wire wire) {
      this.channel = channel;
      this.wire = wire;
    }
  }

  private final Supplier<ManagedChannel> opened;
  private final Function<ManagedChannel, Wire> wired;
  private final List<Place> places = new ArrayList<>();
  private boolean over;

  /** The first opens a channel that shares its connection with no other. */
  WatchChannels(Supplier<ManagedChannel> opened, Function<ManagedChannel, Wire> wired) {
    this.opened = opened;
    this.wired = wired;
  }

  /** A place for one call, which {@link #leave} must give back. Throws CLOSED. */
  synchronized Place take() {
    if (over) {
      throw new UsherFault(UsherFault.Kind.CLOSED);
    }
    Place free = null;
    for (Place each : places) {
      if (each.calls < WATCHES) {
        free = each;
        break;
      }
    }
    if (free == null) {
      ManagedChannel channel = opened.get();
      free = new Place(channel, wired.apply(channel));
      places.add(free);
    }
    free.calls++;
    return free;
  }

  /** Gives a place back. */
  void leave(Place place) {
    synchronized (this) {
      place.calls--;
      if (over || place.calls > 0 || places.stream().noneMatch(each -> each != place && each.calls == 0)) {
        return;
      }
      places.remove(place);
    }
    place.channel.shutdown();
  }

  /** Ends all calls, and no call begins any more. */
  void close() {
    List<Place> all;
    synchronized (this) {
      over = true;
      all = List.copyOf(places);
      places.clear();
    }
    all.forEach(each -> each.channel.shutdownNow());
  }

  /** The calls on each connection, the oldest first. */
  synchronized List<Integer> calls() {
    return places.stream().map(each -> each.calls).toList();
  }
}
