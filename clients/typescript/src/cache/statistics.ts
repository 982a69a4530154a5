/** What a cache has done so far, and how many decisions it holds now. */
export interface CacheStatistics {
  /** Decisions that are held. */
  entries: number;
  /** Questions that were answered from memory. */
  hits: number;
  /** Questions that were not. */
  misses: number;
  /** Misses that were asked by themselves, because the stream was not there, or full. */
  askedByItself: number;
  /** Decisions that had to make room for others. */
  evicted: number;
  /** Decisions that were replaced because the server said so. */
  changed: number;
  /** Decisions that ended for good because the server said so. */
  ended: number;
  /** Streams that are over, for whatever reason. */
  streamsLost: number;
  /** Those of them that were silent for too long. */
  silences: number;
}
