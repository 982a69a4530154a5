package usherd_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

func TestAWatchTellsWhatBecomesOfADecision(t *testing.T) {
	s, streams := playing(t)
	watch := hearing(t, context.Background(), s.client(t))
	go func() {
		here := next(t, streams)
		here.say(t, living(allow("1"), long))
		time.Sleep(50 * time.Millisecond) // so that the newest of a kind is each of them
		here.say(t, &usherv1.AuthorizeResponse{Event: &usherv1.AuthorizeResponse_Checkpoint{Checkpoint: &usherv1.Checkpoint{}}})
		here.say(t, changedTo(deny("2", usherv1.Reason_REASON_TEAM_BLOCKED)))
		time.Sleep(50 * time.Millisecond)
		here.say(t, changedTo(allow("3")))
		here.say(t, &usherv1.AuthorizeResponse{Event: &usherv1.AuthorizeResponse_Expiring{
			Expiring: &usherv1.Expiring{EndsAt: timestamppb.New(time.Unix(1, 0)), Cause: usherv1.Cause_CAUSE_TOKEN_EXPIRED},
		}})
		here.say(t, endedWith(deny("4", usherv1.Reason_REASON_TOKEN_REVOKED)))
		here.end <- nil
	}()
	watch.expect(usherd.Decided, true, "1")
	if event := watch.expect(usherd.Changed, false, "2"); event.Cause != "DIRECTORY" {
		t.Errorf("%v", event)
	}
	watch.expect(usherd.Changed, true, "3")
	if event := watch.expect(usherd.Expiring, true, "3"); event.EndsAt.Unix() != 1 || event.Cause != "TOKEN_EXPIRED" {
		t.Errorf("%v", event)
	}
	watch.expect(usherd.Ended, false, "4")
	watch.over()
}

func TestAFaultAtFirstEndsAWatch(t *testing.T) {
	s, streams := playing(t)
	client := s.client(t, usherd.WithTimeout(200*time.Millisecond))
	for name, each := range map[string]struct {
		play func(*played)
		want usherd.FaultKind
	}{
		"an error":       {func(p *played) { p.end <- status.Error(codes.PermissionDenied, "") }, usherd.CallerNotAllowed},
		"nothing":        {func(p *played) { p.end <- nil }, usherd.BadAnswer},
		"no answer":      {func(*played) {}, usherd.OutOfTime},
		"no terms":       {func(p *played) { p.say(t, living(allow("1"), 0)) }, usherd.BadAnswer},
		"another mode":   {func(p *played) { m := living(allow("1"), 1); m.Terms.Mode = 9; p.say(t, m) }, usherd.BadAnswer},
		"no decision":    {func(p *played) { p.say(t, living(nil, long)) }, usherd.BadAnswer},
		"another event":  {func(p *played) { p.say(t, changedTo(allow("1"))) }, usherd.BadAnswer},
		"once, and more": {func(p *played) { p.say(t, answer(allow("1"))); p.say(t, answer(allow("1"))) }, usherd.BadAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			watch := hearing(t, context.Background(), client)
			go func() { each.play(next(t, streams)) }()
			watch.fault(each.want)
		})
	}
}

func TestAWatchThatIsLostAsksAgain(t *testing.T) {
	unset, bad := &usherv1.AuthorizeResponse{}, allow("x")
	bad.Effect = 0
	for name, lose := range map[string]func(*played){
		"an error": func(p *played) { p.end <- status.Error(codes.Unavailable, "") },
		"the end":  func(p *played) { p.end <- nil },
		"resync": func(p *played) {
			p.say(t, &usherv1.AuthorizeResponse{Event: &usherv1.AuthorizeResponse_Resync{Resync: &usherv1.Resync{}}})
		},
		"unset":                   func(p *played) { p.say(t, unset) },
		"a second decision":       func(p *played) { p.say(t, living(allow("x"), long)) },
		"changed to what is none": func(p *played) { p.say(t, changedTo(bad)) },
		"ended with an allowance": func(p *played) { p.say(t, endedWith(allow("x"))) },
	} {
		t.Run(name, func(t *testing.T) {
			s, streams := playing(t)
			watch := hearing(t, context.Background(), s.client(t))
			go func() {
				here := next(t, streams)
				here.say(t, living(allow("1"), long))
				lose(here)
				// Faults are no answer, and the same answer is no news.
				next(t, streams).end <- status.Error(codes.Internal, "")
				here = next(t, streams)
				here.say(t, living(allow("2"), long))
				here.end <- nil
				here = next(t, streams)
				here.say(t, living(deny("3", usherv1.Reason_REASON_TEAM_BLOCKED), long))
				here.end <- nil
				here = next(t, streams)
				here.say(t, living(allow("4"), long))
			}()
			watch.expect(usherd.Decided, true, "1")
			watch.expect(usherd.Changed, false, "3")
			watch.expect(usherd.Decided, true, "4")
		})
	}
}

func TestAWatchThatLearnsNothingInTimeEndsAsUnknown(t *testing.T) {
	const silence = 400 * time.Millisecond
	soon := func() *usherv1.Decision {
		decision := allow("1")
		decision.ValidUntil = timestamppb.New(time.Now().Add(silence))
		return decision
	}
	for name, each := range map[string]struct {
		play func(*played)
	}{
		"a silent stream":        {func(p *played) { p.say(t, living(allow("1"), silence)) }},
		"lost, until silence":    {func(p *played) { p.say(t, living(allow("1"), silence)); p.end <- errors.New("") }},
		"lost, until the end":    {func(p *played) { p.say(t, living(soon(), long)); p.end <- errors.New("") }},
		"once, until the end":    {func(p *played) { p.say(t, answer(soon())); p.end <- nil }},
		"a stream that stutters": {func(p *played) { p.say(t, living(soon(), long)); p.end <- nil }},
	} {
		t.Run(name, func(t *testing.T) {
			s, streams := playing(t)
			watch := hearing(t, context.Background(), s.client(t))
			began := time.Now()
			go func() { each.play(next(t, streams)) }()
			watch.expect(usherd.Decided, true, "1")
			stop := make(chan struct{})
			asked := 0
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case here := <-streams:
						asked++
						here.end <- status.Error(codes.Internal, "")
					case <-stop:
						return
					}
				}
			}()
			watch.expect(usherd.Unknown, false, "")
			took := time.Since(began)
			watch.over()
			close(stop)
			<-done
			if took < silence-50*time.Millisecond || took > silence+2*time.Second {
				t.Errorf("after %v", took)
			}
			if name == "a silent stream" && asked != 0 || name != "a silent stream" && (asked < 1 || asked > 7) {
				t.Errorf("it asked again %d times", asked)
			}
		})
	}
}

func TestADenialIsNotUnknownBecauseItsEndHasPassed(t *testing.T) {
	const silence = 600 * time.Millisecond
	s, streams := playing(t)
	watch := hearing(t, context.Background(), s.client(t))
	began := time.Now()
	go func() {
		here := next(t, streams)
		decision := deny("1", usherv1.Reason_REASON_TEAM_BLOCKED)
		decision.ValidUntil = timestamppb.New(time.Now().Add(100 * time.Millisecond))
		here.say(t, living(decision, silence))
		here.end <- errors.New("")
		for {
			select {
			case here = <-streams:
				here.end <- status.Error(codes.Internal, "")
			case <-time.After(3 * silence):
				return
			}
		}
	}()
	watch.expect(usherd.Decided, false, "1")
	watch.expect(usherd.Unknown, false, "")
	if took := time.Since(began); took < silence-50*time.Millisecond {
		t.Errorf("after %v", took)
	}
}

func TestWhoeverStopsAWatchEndsItsStream(t *testing.T) {
	s, streams := playing(t)
	client := s.client(t)
	go func() { next(t, streams).say(t, living(allow("1"), long)) }()
	for event, err := range client.Watch(context.Background(), ask("a")) {
		if err != nil || !event.Allowed() {
			t.Fatal(event, err)
		}
		break
	}
	for _, end := range []func(cancel context.CancelFunc){
		func(cancel context.CancelFunc) { cancel() },
		func(context.CancelFunc) { _ = client.Close() },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		watch := hearing(t, ctx, client)
		var here *played
		said := make(chan struct{})
		go func() {
			defer close(said)
			here = next(t, streams)
			here.say(t, living(allow("1"), long))
		}()
		watch.expect(usherd.Decided, true, "1")
		<-said
		end(cancel)
		event, err, ok := watch.next()
		if kind := kindOf(err); !ok || event.Allowed() || kind != usherd.Canceled && kind != usherd.Closed {
			t.Errorf("got %v, %v", event, err)
		}
		watch.over()
		select {
		case <-here.gone:
		case <-time.After(5 * time.Second):
			t.Error("the stream goes on")
		}
		cancel()
	}
}

func TestWhoeverIsSlowMissesNothingThatStillCounts(t *testing.T) {
	s, streams := playing(t)
	watch := hearing(t, context.Background(), s.client(t))
	go func() {
		here := next(t, streams)
		here.say(t, living(allow("1"), long))
		for range 100 {
			here.say(t, changedTo(deny("x", usherv1.Reason_REASON_TEAM_BLOCKED)))
			here.say(t, changedTo(allow("y")))
		}
		here.say(t, changedTo(deny("2", usherv1.Reason_REASON_TEAM_BLOCKED)))
		here.say(t, endedWith(deny("3", usherv1.Reason_REASON_TOKEN_REVOKED)))
		here.end <- nil
	}()
	watch.expect(usherd.Decided, true, "1")
	time.Sleep(300 * time.Millisecond)
	var got []usherd.Event
	for event, err, ok := watch.next(); ok; event, err, ok = watch.next() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, event)
	}
	if last := got[len(got)-1]; len(got) > 6 || last.Kind != usherd.Ended || got[len(got)-2].Decision.ID() != "2" {
		t.Errorf("got %v", got)
	}
}

func TestAServerThatDoesNotTellIsAskedAgain(t *testing.T) {
	s, streams := playing(t)
	watch := hearing(t, context.Background(), s.client(t))
	go func() {
		decision := allow("1")
		decision.ValidUntil = timestamppb.New(time.Now().Add(400 * time.Millisecond))
		here := next(t, streams)
		here.say(t, answer(decision))
		here.end <- nil
		here = next(t, streams)
		here.say(t, answer(deny("2", usherv1.Reason_REASON_TEAM_BLOCKED)))
		here.end <- nil
	}()
	began := time.Now()
	watch.expect(usherd.Decided, true, "1")
	watch.expect(usherd.Changed, false, "2")
	if took := time.Since(began); took < 150*time.Millisecond || took > 3*time.Second {
		t.Errorf("after %v", took)
	}
}
