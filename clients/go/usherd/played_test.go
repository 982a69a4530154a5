package usherd_test

import (
	"context"
	"iter"
	"testing"
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

// played is one stream of Authorize, as a test holds it.
type played struct {
	request *usherv1.AuthorizeRequest
	out     authorizeStream
	end     chan error
	gone    <-chan struct{}
}

// playing is a server whose streams of Authorize a test holds.
func playing(t testing.TB) (*scripted, <-chan *played) {
	t.Helper()
	s, streams := newScripted(t), make(chan *played, 100)
	s.authorize = func(request *usherv1.AuthorizeRequest, out authorizeStream) error {
		here := &played{request, out, make(chan error, 1), out.Context().Done()}
		streams <- here
		select {
		case err := <-here.end:
			return err
		case <-out.Context().Done():
			return out.Context().Err()
		}
	}
	return s, streams
}

func next(t testing.TB, streams <-chan *played) *played {
	t.Helper()
	select {
	case here := <-streams:
		return here
	case <-time.After(5 * time.Second):
		t.Fatal("nobody asked")
		return nil
	}
}

func (p *played) say(t testing.TB, message *usherv1.AuthorizeResponse) {
	t.Helper()
	if err := p.out.Send(message); err != nil {
		t.Fatal(err)
	}
}

func living(decision *usherv1.Decision, silence time.Duration) *usherv1.AuthorizeResponse {
	message := answer(decision)
	message.Terms = watchTerms(silence)
	return message
}

func changedTo(decision *usherv1.Decision) *usherv1.AuthorizeResponse {
	return &usherv1.AuthorizeResponse{Event: &usherv1.AuthorizeResponse_Changed{
		Changed: &usherv1.Changed{Decision: decision, Cause: usherv1.Cause_CAUSE_DIRECTORY},
	}}
}

func endedWith(decision *usherv1.Decision) *usherv1.AuthorizeResponse {
	return &usherv1.AuthorizeResponse{Event: &usherv1.AuthorizeResponse_Ended{
		Ended: &usherv1.Ended{Decision: decision, Cause: usherv1.Cause_CAUSE_TOKEN_REVOKED},
	}}
}

// heard is what a watch yields, one by one.
type heard struct {
	t    testing.TB
	next func() (usherd.Event, error, bool)
}

func hearing(t testing.TB, ctx context.Context, client *usherd.Client, options ...usherd.CallOption) *heard {
	t.Helper()
	next, stop := iter.Pull2(client.Watch(ctx, ask("a"), options...))
	t.Cleanup(stop)
	return &heard{t, next}
}

func (h *heard) expect(kind usherd.EventKind, allowed bool, id string) usherd.Event {
	h.t.Helper()
	event, err, ok := h.next()
	if !ok || err != nil || event.Kind != kind || event.Allowed() != allowed || event.Decision.ID() != id {
		h.t.Fatalf("got %v of %q, %v, %v; want %v of %q", event, event.Decision.ID(), err, ok, kind, id)
	}
	return event
}

func (h *heard) over() {
	h.t.Helper()
	if event, err, ok := h.next(); ok {
		h.t.Fatalf("it goes on: %v, %v", event, err)
	}
}

func (h *heard) fault(kind usherd.FaultKind) {
	h.t.Helper()
	if event, err, ok := h.next(); !ok || kindOf(err) != kind || event.Allowed() {
		h.t.Fatalf("got %v, %v, %v; want %v", event, err, ok, kind)
	}
	h.over()
}
