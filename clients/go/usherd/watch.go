package usherd

import (
	"context"
	"io"
	"iter"
	"sync"
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
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
	left := w.silence - time.Since(w.heard)
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

// howTold says how a stream has ended.
type howTold int

const (
	notTold  howTold = iota // it gave no answer
	shaky                   // it was lost soon
	steady                  // it was lost after a while
	toldOnce                // it gave one answer, as it was meant to
	lastTold                // it told the last event
)

// follow asks once, and hears what the stream says until that ends.
func (w *watcher) follow(ctx context.Context, within time.Duration, first bool) (howTold, *Fault) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	s, fault := w.open(ctx, cancel, within)
	if fault != nil {
		return notTold, fault
	}
	defer s.timer.Stop()
	w.answered(s.decision, first)
	w.heard = s.heard
	if s.once {
		w.silence = onceSilence
		return toldOnce, nil
	}
	w.silence = s.silence
	for {
		message, err := s.stream.Recv()
		now := time.Now()
		// What was in a buffer while this process stood still may be old.
		if err != nil || gap(w.heard, now) > w.silence {
			break
		}
		w.heard = now
		s.timer.Reset(w.silence)
		if last, ok := w.hear(message); last {
			return lastTold, nil
		} else if !ok {
			break
		}
	}
	if time.Since(began) >= steadyAfter {
		return steady, nil
	}
	return shaky, nil
}

func gap(before, now time.Time) time.Duration {
	return max(now.Sub(before), time.Duration(now.UnixNano()-before.UnixNano()))
}

// answered tells the first decision of a stream, if that is news.
func (w *watcher) answered(decision Decision, first bool) {
	before := w.decision
	w.decision = decision
	if !first && before.Allowed() == decision.Allowed() && before.wire().GetReason() == decision.wire().GetReason() {
		return
	}
	kind := Decided
	if !first && !decision.Allowed() {
		kind = Changed
	}
	w.tell(Event{Kind: kind, Decision: decision})
}

// hear takes in one event; it says whether that was the last, and whether the stream can be gone on with.
func (w *watcher) hear(message *usherv1.AuthorizeResponse) (last, ok bool) {
	switch event := message.GetEvent().(type) {
	case *usherv1.AuthorizeResponse_Checkpoint:
		return false, true
	case *usherv1.AuthorizeResponse_Changed:
		decision, fault := decisionOf(event.Changed.GetDecision())
		if fault != nil {
			return false, false
		}
		w.decision = decision
		w.tell(Event{Kind: Changed, Decision: decision, Cause: causeWord(event.Changed.GetCause())})
		return false, true
	case *usherv1.AuthorizeResponse_Expiring:
		told := Event{Kind: Expiring, Decision: w.decision, Cause: causeWord(event.Expiring.GetCause())}
		if at := event.Expiring.GetEndsAt(); at.IsValid() {
			told.EndsAt = at.AsTime()
		}
		w.tell(told)
		return false, true
	case *usherv1.AuthorizeResponse_Ended:
		decision, fault := decisionOf(event.Ended.GetDecision())
		if fault != nil || decision.Allowed() {
			return false, false
		}
		w.tell(Event{Kind: Ended, Decision: decision, Cause: causeWord(event.Ended.GetCause())})
		return true, true
	default:
		return false, false
	}
}

// opened is a stream that has said its first decision, and how it is served.
type opened struct {
	stream interface {
		Recv() (*usherv1.AuthorizeResponse, error)
	}
	decision Decision
	heard    time.Time
	silence  time.Duration
	once     bool
	timer    *time.Timer // ends the stream after silence
}

// open asks, and has the first answer in time.
func (w *watcher) open(ctx context.Context, cancel context.CancelFunc, within time.Duration) (*opened, *Fault) {
	// The stream outlives the deadline of its first answer.
	timer := time.AfterFunc(within, cancel)
	s, fault := w.ask(ctx)
	if fault == nil {
		if !timer.Stop() {
			return nil, &Fault{Kind: OutOfTime}
		}
		s.timer = time.AfterFunc(max(s.silence, 0), cancel)
		return s, nil
	}
	if !timer.Stop() && fault.Kind == Canceled {
		fault = &Fault{Kind: OutOfTime}
	}
	return nil, fault
}

func (w *watcher) ask(ctx context.Context) (*opened, *Fault) {
	ctx, fault := w.client.shown(ctx)
	if fault != nil {
		return nil, fault
	}
	stream, err := w.client.service.Authorize(ctx, &usherv1.AuthorizeRequest{
		Question: w.question.message(), Options: w.made.options(), Mode: usherv1.Mode_MODE_WATCH,
	})
	if err != nil {
		return nil, faultOf(ctx, err)
	}
	first, err := stream.Recv()
	if err == io.EOF {
		return nil, &Fault{Kind: BadAnswer}
	} else if err != nil {
		return nil, faultOf(ctx, err)
	}
	s := &opened{stream: stream, heard: time.Now()}
	if s.decision, fault = decisionOf(first.GetDecision()); fault != nil {
		return nil, fault
	}
	switch first.GetTerms().GetMode() {
	case usherv1.Mode_MODE_WATCH:
		silence, ok := livingTerms(first.GetTerms())
		if !ok {
			return nil, &Fault{Kind: BadAnswer}
		}
		s.silence = silence
	case usherv1.Mode_MODE_UNSPECIFIED, usherv1.Mode_MODE_ONCE:
		s.once = true
		if _, err := stream.Recv(); err == nil {
			return nil, &Fault{Kind: BadAnswer}
		} else if err != io.EOF {
			return nil, faultOf(ctx, err)
		}
	default:
		return nil, &Fault{Kind: BadAnswer}
	}
	return s, nil
}
