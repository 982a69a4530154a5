package dev.usherd;

import java.util.concurrent.atomic.LongAdder;

/** Counts what a cache does. */
final class Tally {
  final LongAdder hits = new LongAdder();
  final LongAdder misses = new LongAdder();
  final LongAdder askedByItself = new LongAdder();
  final LongAdder evicted = new LongAdder();
  final LongAdder changed = new LongAdder();
  final LongAdder ended = new LongAdder();
  final LongAdder streamsLost = new LongAdder();
  final LongAdder silences = new LongAdder();

  CacheStatistics read(long entries) {
    return new CacheStatistics(
        entries,
        hits.sum(),
        misses.sum(),
        askedByItself.sum(),
        evicted.sum(),
        changed.sum(),
        ended.sum(),
        streamsLost.sum(),
        silences.sum());
  }
}
