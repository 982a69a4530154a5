package dev.usherd;

import java.util.Comparator;
import java.util.PriorityQueue;

/**
 * Which entry was used least recently.
 *
 * <p>Being used only sets a number: an entry takes its new place when its old one makes it the next to go.
 */
final class UseOrder {

  private final PriorityQueue<Entry> queue = new PriorityQueue<>(Comparator.comparingLong((Entry each) -> each.ordered));
  private final int size;

  UseOrder(int size) {
    this.size = size;
  }

  /** It takes its place, which is taken from it when it is found to have nothing that is kept. */
  void add(Entry entry) {
    if (queue.size() > 2L * size + 64) {
      queue.removeIf(each -> each.kept == null);
    }
    entry.ordered = entry.used;
    queue.add(entry);
  }

  void clear() {
    queue.clear();
  }

  /** The one, which is in no order any more; null: there is none. */
  Entry least() {
    for (Entry first = queue.poll(); first != null; first = queue.poll()) {
      if (first.kept == null) {
        continue;
      }
      long used = first.used;
      if (used == first.ordered) {
        return first;
      }
      first.ordered = used;
      queue.add(first);
    }
    return null;
  }
}
