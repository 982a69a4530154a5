package usherd

import "sync/atomic"

// Stats are counters of the cache since the client was made, and how many entries it holds now.
type Stats struct {
	// Entries that are held now.
	Entries int
	// Hits were answered from memory.
	Hits uint64
	// Misses were not at hand.
	Misses uint64
	// Alone are the misses that were asked by themselves, because they could not be added to the stream.
	Alone uint64
	// Evicted had to make room for others.
	Evicted uint64
	// Changed were told to be another decision now.
	Changed uint64
	// Ended were told to have ended for good.
	Ended uint64
	// StreamsLost ended, for whatever reason but silence; all that was held went with them.
	StreamsLost uint64
	// Silences are streams that said nothing for longer than they had promised.
	Silences uint64
}

type counters struct {
	hits, misses, alone, evicted, changed, ended, lost, silences atomic.Uint64
}

func (c *cache) read() Stats {
	c.mu.RLock()
	entries := len(c.entries) - c.pending
	c.mu.RUnlock()
	return Stats{
		Entries:     entries,
		Hits:        c.count.hits.Load(),
		Misses:      c.count.misses.Load(),
		Alone:       c.count.alone.Load(),
		Evicted:     c.count.evicted.Load(),
		Changed:     c.count.changed.Load(),
		Ended:       c.count.ended.Load(),
		StreamsLost: c.count.lost.Load(),
		Silences:    c.count.silences.Load(),
	}
}
