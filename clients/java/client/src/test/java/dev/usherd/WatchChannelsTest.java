package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.ManagedChannel;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Which connection a watch goes to. None of these connects. */
class WatchChannelsTest {

  private static final int FULL = WatchChannels.WATCHES;

  private final List<ManagedChannel> channels = Collections.synchronizedList(new ArrayList<>());
  private final WatchChannels watches =
      new WatchChannels(
          () -> {
            channels.add(Channels.open("127.0.0.1:1", null, false, KeepAlive.REAL));
            return channels.get(channels.size() - 1);
          },
          each -> new Wire(each, new Bearer(null)));

  @AfterEach
  void end() {
    watches.close();
  }

  private List<WatchChannels.Place> take(int calls) {
    return Stream.generate(watches::take).limit(calls).toList();
  }

  private long open() {
    return List.copyOf(channels).stream().filter(each -> !each.isShutdown()).count();
  }

  @Test
  void a_call_goes_where_there_is_room_and_opens_a_connection_only_where_there_is_none() {
    List<WatchChannels.Place> first = take(FULL);
    assertEquals(List.of(FULL), watches.calls());
    take(1);
    assertEquals(List.of(FULL, 1), watches.calls());
    watches.leave(first.get(7));
    assertSame(first.get(0), watches.take());
    assertEquals(List.of(FULL, 1), watches.calls());
    assertEquals(2, channels.size());
  }

  @Test
  void one_connection_without_calls_is_kept_and_no_more() {
    take(3 * FULL).forEach(watches::leave);
    assertEquals(List.of(0), watches.calls());
    assertEquals(1, open());
  }

  @Test
  void between_full_and_one_more_no_connection_comes_and_goes() {
    take(FULL);
    for (int each = 0; each < 5; each++) {
      take(1).forEach(watches::leave);
    }
    assertEquals(List.of(FULL, 0), watches.calls());
    assertEquals(2, channels.size());
  }

  @Test
  void a_call_that_ends_after_the_client_was_closed_closes_nothing_twice() {
    List<WatchChannels.Place> taken = take(FULL + 1);
    watches.close();
    taken.forEach(watches::leave);
    assertEquals(0, open());
    assertEquals(List.of(), watches.calls());
    assertEquals(UsherFault.Kind.CLOSED, assertThrows(UsherFault.class, watches::take).kind());
    assertEquals(2, channels.size());
  }

  @Test
  void a_connection_that_cannot_be_opened_takes_no_place() {
    WatchChannels none =
        new WatchChannels(
            () -> {
              throw new IllegalStateException();
            },
            each -> new Wire(each, new Bearer(null)));
    assertThrows(IllegalStateException.class, none::take);
    assertEquals(List.of(), none.calls());
  }

  @Test
  void many_take_and_leave_at_once() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(16);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int each = 0; each < 16; each++) {
        all.add(
            threads.submit(
                () -> {
                  for (int round = 0; round < 50; round++) {
                    List<WatchChannels.Place> taken = take(10);
                    assertTrue(open() > 0);
                    taken.forEach(watches::leave);
                  }
                }));
      }
      for (Future<?> each : all) {
        each.get(60, TimeUnit.SECONDS);
      }
    } finally {
      threads.shutdownNow();
    }
    assertEquals(List.of(0), watches.calls());
    assertEquals(1, open());
  }
}
