package dev.usherd;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** What a watch has told, in its order: events, or the fault in their place. */
final class Heard implements WatchListener {

  final BlockingQueue<Object> all = new LinkedBlockingQueue<>();

  @Override
  public void onEvent(WatchEvent event) {
    all.add(event);
  }

  @Override
  public void onFault(UsherFault fault) {
    all.add(fault);
  }
}
