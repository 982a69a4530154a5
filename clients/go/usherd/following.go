package usherd

import (
	"context"
	"io"
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

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
	waited, fault := w.client.turns.wait(ctx, within)
	if fault != nil {
		return notTold, fault
	}
	within -= waited
	on, fault := w.client.watches.take()
	if fault != nil {
		return notTold, fault
	}
	defer w.client.watches.leave(on)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	s, fault := w.open(ctx, cancel, on, within)
	if fault != nil {
		return notTold, fault
	}
	defer w.client.sleeps.leave(s.ends)
	w.answered(s.decision, first)
	w.heard = s.heard
	if s.once {
		w.silence = onceSilence
		return toldOnce, nil
	}
	w.silence = s.silence
	for {
		message, err := s.stream.Recv()
		now := w.client.now()
		// What was in a buffer while this process stood still may be old.
		if err != nil || gap(w.heard, now) > w.silence {
			break
		}
		w.heard = now
		s.ends.again(now)
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

// gap is the time between the two by the clock that says more: one never goes back, and the other goes on while a machine
// sleeps.
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
	ends     *silence
}

// open asks, and has the first answer in time.
func (w *watcher) open(
	ctx context.Context, cancel context.CancelFunc, on *place, within time.Duration,
) (*opened, *Fault) {
	// The stream outlives the deadline of its first answer.
	timer := time.AfterFunc(within, cancel)
	s, fault := w.ask(ctx, on)
	if fault == nil {
		if !timer.Stop() {
			return nil, &Fault{Kind: OutOfTime}
		}
		s.ends = w.client.sleeps.watch(s.silence, s.heard, cancel)
		return s, nil
	}
	if !timer.Stop() && fault.Kind == Canceled {
		fault = &Fault{Kind: OutOfTime}
	}
	return nil, fault
}

func (w *watcher) ask(ctx context.Context, on *place) (*opened, *Fault) {
	ctx, fault := w.client.shown(ctx)
	if fault != nil {
		return nil, fault
	}
	stream, err := on.service.Authorize(ctx, &usherv1.AuthorizeRequest{
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
	s := &opened{stream: stream, heard: w.client.now()}
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
