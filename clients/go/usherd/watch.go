package usherd

import (
	"context"
	"iter"
	"sync"
	"time"
)

const (
	askAgainAfter  = 10 * time.Millisecond
	askAgainWithin = time.Second
	// steadyAfter is how long a stream has to hold before the next break counts as the first.
	steadyAfter = time.Second
	// onceWithin is how often a server is asked that does not tell, and onceSilence how long its answer counts at most
	// while it cannot be asked.
	onceWithin  = 5 * time.Second
	onceSilence = 15 * time.Second
)

// Watch yields what becomes of one question: for what lasts, such as a streamed completion or the run of an agent.
//
//	for event, err := range client.Watch(ctx, question) {
//		if err != nil || !event.Allowed() {
//			stop()
//			break
//		}
//	}
//
// The first event is a Decided; if the first answer is a fault, Watch yields that [*Fault] alone. Where the server or the
// connection is lost, the question is asked again, for as long as the last answer may be relied on; then comes an
// Unknown, the last event. When the context is done or the client closed, Watch yields a fault and ends. Whoever is slow
// to take events misses none that still counts. To stop, break, or end the context.
func (c *Client) Watch(ctx context.Context, question Question, options ...CallOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		made, fault := c.call(&question, options)
		if fault != nil {
			yield(Event{}, fault)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(c.lifetime, cancel)
		w := &watcher{client: c, question: &question, made: made, signal: make(chan struct{}, 1)}
		ended := make(chan *Fault, 1)
		go func() { ended <- w.run(ctx) }()
		over := false
		defer func() {
			stop()
			cancel()
			if !over {
				<-ended
			}
		}()
		for {
			select {
			case <-w.signal:
			case fault = <-ended:
				over = true
			}
			for _, event := range w.take() {
				if !yield(event, nil) {
					return
				}
			}
			if over {
				if fault != nil {
					yield(Event{}, c.meant(fault))
				}
				return
			}
		}
	}
}

// watcher follows one question.
type watcher struct {
	client   *Client
	question *Question
	made     *call

	mu     sync.Mutex
	events box
	signal chan struct{}

	// What is known, and until when it counts.
	decision Decision
	heard    time.Time
	silence  time.Duration
}

func (w *watcher) tell(event Event) {
	w.mu.Lock()
	w.events.put(event)
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.events
	w.events = nil
	return taken
}

// run tells what becomes of the question. It returns a fault if that is what ended it.
func (w *watcher) run(ctx context.Context) *Fault {
	told, fault := w.follow(ctx, w.made.timeout, true)
	if fault != nil || told == lastTold {
		return fault
	}
	wait := askAgainAfter
	for {
		if told == steady || told == toldOnce {
			wait = askAgainAfter
		}
		if pause := w.pause(told, wait); !sleep(ctx, min(pause, w.counts())) {
			return outOfContext(ctx)
		}
		wait = min(2*wait, askAgainWithin)
		left := w.counts()
		if left <= 0 {
			w.tell(Event{Kind: Unknown})
			return nil
		}
		told, _ = w.follow(ctx, min(left, w.made.timeout), false)
		if told == lastTold {
			return nil
		}
		if ctx.Err() != nil {
			return outOfContext(ctx)
		}
	}
}

// pause is how long to wait before the question is asked again.
func (w *watcher) pause(told howTold, wait time.Duration) time.Duration {
	if told != toldOnce {
		return wait
	}
	pause := onceWithin
	if until := w.decision.ValidUntil(); !until.IsZero() {
		pause = min(pause, time.Until(until)/2)
	}
	return max(pause, askAgainAfter)
}

// counts is for how long what is known may still be relied on.
func (w *watcher) counts() time.Duration {
	left := w.silence - gap(w.heard, w.client.now())
	// A denial does not end by becoming old.
	if until := w.decision.ValidUntil(); w.decision.Allowed() && !until.IsZero() {
		left = min(left, time.Until(until))
	}
	return left
}

func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(max(pause, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
