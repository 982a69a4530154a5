package usherd

import (
	"container/heap"
	"sync/atomic"
	"time"
)

// entry is one question on the stream: it waits for its first answer, or is held.
type entry struct {
	key    key
	number uint64
	added  time.Time

	// answered is closed when answer is set.
	answered chan struct{}
	answer   outcome

	// What is held, from the first answer on; place is where it stands in the order of use.
	decision Decision
	used     atomic.Int64
	recorded int64
	place    int
}

// outcome is what came of a question that was added: a decision, a fault, or that it has to be asked by itself.
type outcome struct {
	decision Decision
	fault    *Fault
	alone    bool
}

func (e *entry) waits() bool { return e.answered != nil }

// order knows which held entry was used the longest ago. Whoever uses one only writes down when; the heap is put right
// when somebody has to go.
type order []*entry

func (o order) Len() int           { return len(o) }
func (o order) Less(i, j int) bool { return o[i].recorded < o[j].recorded }
func (o order) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].place, o[j].place = i, j
}

// Push is heap's.
func (o *order) Push(x any) {
	e := x.(*entry)
	e.place = len(*o)
	*o = append(*o, e)
}

// Pop is heap's.
func (o *order) Pop() any {
	last := len(*o) - 1
	e := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	return e
}

func (o *order) add(e *entry) {
	e.recorded = e.used.Load()
	heap.Push(o, e)
}

func (o *order) remove(e *entry) { heap.Remove(o, e.place) }

// leastRecent is the one that was used the longest ago; nil: nothing is held. No entry was used before its record says,
// so that the first whose record is right is it.
func (o *order) leastRecent() *entry {
	for len(*o) > 0 {
		first := (*o)[0]
		used := first.used.Load()
		if used == first.recorded {
			return first
		}
		first.recorded = used
		heap.Fix(o, 0)
	}
	return nil
}

// makeRoom lets the least recently used go; false: everything waits for its first answer.
func (c *cache) makeRoom() bool {
	for len(c.entries) >= c.limit {
		e := c.order.leastRecent()
		if e == nil {
			return false
		}
		c.forget(e, true)
		c.count.evicted.Add(1)
	}
	return true
}

// settle gives those who wait for it their answer.
func (c *cache) settle(e *entry, answer outcome) {
	e.answer = answer
	close(e.answered)
	c.pending--
}

// hold keeps what was decided.
func (c *cache) hold(e *entry, decision Decision, now time.Time) {
	first := e.waits()
	e.decision, e.answered = decision, nil
	if first {
		e.used.Store(int64(now.Sub(c.epoch)))
		c.order.add(e)
	}
}

// forget removes an entry, and its subscription from the stream unless that has ended already. Whoever waits for it asks
// by himself.
func (c *cache) forget(e *entry, subscribed bool) {
	if e.waits() {
		select {
		case <-e.answered:
		default:
			c.settle(e, outcome{alone: true})
		}
	} else {
		c.order.remove(e)
	}
	delete(c.entries, e.key)
	delete(c.numbered, e.number)
	if subscribed {
		c.feed.remove(e.number)
	}
}
