package usherd

import (
	"context"
	"sync"
	"time"
)

const (
	// callsAtOnce is how many watches begin their call in one moment.
	callsAtOnce = 24
	// callPace is between those that follow: a server refuses what comes faster than it can be taken up, and a gateway may
	// come back with a thousand of them.
	callPace = time.Millisecond
)

// turns lets the calls of watches begin.
type turns struct {
	over <-chan struct{} // closed with the client

	mu   sync.Mutex
	last time.Time
}

// wait returns when the next call may begin, and how long that took: at most within, and not after the context.
func (t *turns) wait(ctx context.Context, within time.Duration) (time.Duration, *Fault) {
	wait := t.take(time.Now())
	if wait <= 0 {
		return 0, nil
	}
	timer := time.NewTimer(min(wait, within))
	defer timer.Stop()
	select {
	case <-timer.C:
		if wait <= within {
			return wait, nil
		}
		t.giveBack()
		return within, &Fault{Kind: OutOfTime}
	case <-ctx.Done():
		t.giveBack()
		return 0, outOfContext(ctx)
	case <-t.over:
		return 0, &Fault{Kind: Closed}
	}
}

// take is how long the next call has to wait.
func (t *turns) take(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if earliest := now.Add(-callsAtOnce * callPace); t.last.Before(earliest) {
		t.last = earliest
	}
	t.last = t.last.Add(callPace)
	return t.last.Sub(now)
}

// giveBack is for a turn that was not used: whoever gives up makes nobody wait.
func (t *turns) giveBack() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = t.last.Add(-callPace)
}
