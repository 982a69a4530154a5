package dev.usherd;

/**
 * What a cache has done so far. Without a cache all of it is 0.
 *
 * @param entries decisions that are kept now
 * @param hits questions that were answered from memory
 * @param misses questions that were not
 * @param askedByItself misses that the cache could not take, so that they were asked one by one
 * @param evicted decisions that made room for others
 * @param changed decisions that the server said are other ones now
 * @param ended decisions that the server said have ended
 * @param streamsLost streams that were in use and are over, for whatever cause
 * @param silences of these, those that said nothing for too long
 */
public record CacheStatistics(
    long entries,
    long hits,
    long misses,
    long askedByItself,
    long evicted,
    long changed,
    long ended,
    long streamsLost,
    long silences) {}
