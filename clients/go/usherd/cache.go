package usherd

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// mostPending is how many additions are under way at most.
	mostPending = 256
	// longestPending is how long one of them is waited for, when the stream speaks of others meanwhile.
	longestPending = time.Minute
	// mostUnsent is how many changes wait to be sent when no more is added: a server that reads has few waiting.
	mostUnsent   = 1024
	reopenAfter  = 100 * time.Millisecond
	reopenWithin = 5 * time.Second
	// steadyStream is how long a stream has to last before the next break counts as the first.
	steadyStream = 5 * time.Second
)

// cache answers from memory what it has been told on a stream and has not been told otherwise.
//
// A stream ("feed") and what it told come and go together: when it is lost, everything is gone.
type cache struct {
	limit int
	open  func(context.Context) (subscription, error)
	now   func() time.Time
	epoch time.Time
	count counters

	mu       sync.RWMutex
	feed     *feed // nil: no stream is there
	entries  map[key]*entry
	numbered map[uint64]*entry
	order    order
	pending  int // entries that wait for their first answer
	closed   bool

	begin  sync.Once
	wanted chan struct{}
	done   chan struct{}
}

func newCache(
	ctx context.Context, limit int, open func(context.Context) (subscription, error), now func() time.Time,
) *cache {
	c := &cache{
		limit:    limit,
		open:     open,
		now:      now,
		epoch:    now(),
		entries:  map[key]*entry{},
		numbered: map[uint64]*entry{},
		wanted:   make(chan struct{}),
		done:     make(chan struct{}),
	}
	go c.run(ctx)
	return c
}

// run keeps one stream open from the first question on.
func (c *cache) run(ctx context.Context) {
	defer close(c.done)
	select {
	case <-c.wanted:
	case <-ctx.Done():
		return
	}
	wait := reopenAfter
	for ctx.Err() == nil {
		began := time.Now()
		c.serve(ctx)
		if time.Since(began) >= steadyStream {
			wait = reopenAfter
		}
		select {
		case <-time.After(time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64()))):
		case <-ctx.Done():
		}
		wait = min(2*wait, reopenWithin)
	}
}

// hit is what is held of that question, if it may be served now.
func (c *cache) hit(k key) (Decision, bool) {
	c.mu.RLock()
	e := c.entries[k]
	if e == nil || e.waits() {
		c.mu.RUnlock()
		return Decision{}, false
	}
	// As late as possible: this process may have stood still since it was asked.
	now := c.now()
	silent := c.feed.silent(now)
	decision := e.decision
	if silent || !now.Before(decision.held.validUntil) {
		c.mu.RUnlock()
		return Decision{}, false
	}
	e.used.Store(int64(now.Sub(c.epoch)))
	c.mu.RUnlock()
	c.count.hits.Add(1)
	return decision, true
}

// ask adds a question to the stream and waits for its first answer, or has it asked by itself: at once, or when half of
// the time has passed, since one slow answer on the stream keeps all others waiting.
func (c *cache) ask(
	ctx context.Context, k key, question *Question, made *call,
	alone func(context.Context, *Question, *call) (Decision, *Fault),
) (Decision, *Fault) {
	if decision, ok := c.hit(k); ok {
		return decision, nil
	}
	c.count.misses.Add(1)
	waiting := c.join(k, question, made)
	c.begin.Do(func() { close(c.wanted) })
	if waiting != nil {
		until, _ := ctx.Deadline()
		half := time.NewTimer(time.Until(until) / 2)
		defer half.Stop()
		select {
		case <-waiting.answered:
			if answer := waiting.answer; !answer.alone {
				return answer.decision, answer.fault
			}
		case <-half.C:
		case <-ctx.Done():
			return Decision{}, outOfContext(ctx)
		}
	}
	c.count.alone.Add(1)
	return alone(ctx, question, made)
}

// waiter is a question's first answer to come.
type waiter struct {
	answered <-chan struct{}
	*entry
}

// join is where the question's first answer comes, added now or already on its way; nil: it has to be asked by itself.
func (c *cache) join(k key, question *Question, made *call) *waiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.feed != nil && c.feed.silent(now) {
		c.lose(c.feed, true)
	}
	if c.feed == nil {
		return nil
	}
	if !c.feed.terms {
		// One addition brings it to life, and nobody waits for a stream that may never speak.
		if c.pending == 0 {
			c.add(k, question, made, now)
		}
		return nil
	}
	if e := c.entries[k]; e != nil {
		if e.waits() {
			return &waiter{e.answered, e}
		}
		if now.Before(e.decision.held.validUntil) {
			// It has come since it was looked for.
			e.used.Store(int64(now.Sub(c.epoch)))
			return &waiter{answeredAlready, &entry{answer: outcome{decision: e.decision}}}
		}
		c.forget(e, true)
	}
	if c.pending >= mostPending || len(c.feed.changes) >= mostUnsent || !c.makeRoom() {
		return nil
	}
	e := c.add(k, question, made, now)
	return &waiter{e.answered, e}
}

func (c *cache) add(k key, question *Question, made *call, now time.Time) *entry {
	e := &entry{key: k.cloned(), number: c.feed.number(), added: now, answered: make(chan struct{})}
	c.entries[e.key], c.numbered[e.number] = e, e
	c.pending++
	c.feed.add(e.number, question.message(), made.options(), now)
	return e
}

var answeredAlready = func() chan struct{} {
	closed := make(chan struct{})
	close(closed)
	return closed
}()

// lose ends a stream, and everything that it told is gone.
func (c *cache) lose(f *feed, silence bool) {
	f.cancel()
	if c.feed != f {
		return
	}
	c.feed = nil
	for _, e := range c.entries {
		if e.waits() {
			c.settle(e, outcome{alone: true})
		}
	}
	clear(c.entries)
	clear(c.numbered)
	c.order = nil
	if silence {
		c.count.silences.Add(1)
	} else {
		c.count.lost.Add(1)
	}
}

// close waits until nothing runs any more. The context of the cache has ended before.
func (c *cache) close() {
	c.mu.Lock()
	c.closed = true
	if c.feed != nil {
		c.lose(c.feed, false)
	}
	c.mu.Unlock()
	<-c.done
}
