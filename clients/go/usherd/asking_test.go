package usherd_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

// result is what came of one question.
type result struct {
	decision usherd.Decision
	err      error
}

func (r result) String() string {
	if r.err != nil {
		return r.err.Error()
	}
	return fmt.Sprintf("%v %s", r.decision, r.decision.ID())
}

func later(client *usherd.Client, question usherd.Question, options ...usherd.CallOption) <-chan result {
	came := make(chan result, 1)
	go func() {
		decision, err := client.Authorize(context.Background(), question, options...)
		came <- result{decision, err}
	}()
	return came
}

func get(t testing.TB, came <-chan result) result {
	t.Helper()
	select {
	case got := <-came:
		return got
	case <-time.After(5 * time.Second):
		t.Fatal("no answer")
		return result{}
	}
}

func expect(t testing.TB, client *usherd.Client, question usherd.Question, want string) {
	t.Helper()
	if got := get(t, later(client, question)).String(); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("never came true: %s", what)
}

func kindOf(err error) usherd.FaultKind {
	var fault *usherd.Fault
	if !errors.As(err, &fault) {
		return -1
	}
	return fault.Kind
}

// keeping is a client whose stream is open and begun.
func keeping(t testing.TB, silence time.Duration, options ...usherd.Option) (*scripted, *usherd.Client, *stream) {
	t.Helper()
	s := newScripted(t)
	client := s.client(t, append([]usherd.Option{usherd.WithCache(100)}, options...)...)
	return s, client, s.keeps(t, client, silence)
}

// keeps brings the stream of a client's cache to life.
func (s *scripted) keeps(t testing.TB, client *usherd.Client, silence time.Duration) *stream {
	t.Helper()
	// The first question finds no stream.
	expect(t, client, ask("first"), "ALLOW ALLOWED alone")
	here := s.next(t)
	here.begin(silence)
	// Whatever is added meanwhile is answered, and removed since it may not be kept.
	held := map[uint64]bool{}
	answer := func(request *usherv1.SubscribeRequest) {
		for _, each := range request.GetAdd() {
			held[each.GetId()] = true
			here.decide(each.GetId(), uncacheable(allow("probe")))
		}
		for _, number := range request.GetRemove() {
			delete(held, number)
		}
	}
	eventually(t, "the stream is used", func() bool {
		before, came := client.Stats().Alone, later(client, ask("probe"))
		for {
			select {
			case request := <-here.asked:
				answer(request)
			case <-came:
				return client.Stats().Alone == before
			}
		}
	})
	for len(held) > 0 {
		answer(here.request())
	}
	s.alone.Store(0)
	return here
}

func uncacheable(decision *usherv1.Decision) *usherv1.Decision {
	decision.Cacheable = false
	return decision
}

// held asks a question and has its decision kept.
func (s *stream) held(client *usherd.Client, question usherd.Question, decision *usherv1.Decision) uint64 {
	s.t.Helper()
	came := later(client, question)
	id := s.added()
	s.decide(id, decision)
	get(s.t, came)
	return id
}

// sent waits until the client has heard all that was said so far: by asking one more thing after it.
func (s *stream) sent(client *usherd.Client) {
	s.t.Helper()
	came := later(client, ask("sent "+time.Now().String()))
	id := s.added()
	s.decide(id, uncacheable(allow("sent")))
	get(s.t, came)
	if s.removed() != id {
		s.t.Fatal("what is not kept was not removed")
	}
}
