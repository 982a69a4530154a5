package usherd_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

func changed(id uint64, about string, decision *usherv1.Decision) *usherv1.SubscribeResponse {
	return &usherv1.SubscribeResponse{Id: id, DecisionId: about, Event: &usherv1.SubscribeResponse_Changed{
		Changed: &usherv1.Changed{Decision: decision, Cause: usherv1.Cause_CAUSE_DIRECTORY},
	}}
}

func TestWhatHasChangedTakesTheOthersPlace(t *testing.T) {
	_, client, here := keeping(t, long)
	id := here.held(client, ask("a"), allow("1"))
	here.say(changed(id, "1", deny("2", usherv1.Reason_REASON_TEAM_BLOCKED)))
	here.sent(client)
	expect(t, client, ask("a"), "DENY TEAM_BLOCKED 2")
	here.say(changed(id, "2", allow("3")))
	here.sent(client)
	expect(t, client, ask("a"), "ALLOW ALLOWED 3")
	if stats := client.Stats(); stats.Changed != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestWhatEndsAnEntry(t *testing.T) {
	resync := &usherv1.SubscribeResponse_Resync{Resync: &usherv1.Resync{}}
	ended := &usherv1.SubscribeResponse_Ended{Ended: &usherv1.Ended{
		Decision: deny("2", usherv1.Reason_REASON_TOKEN_REVOKED),
	}}
	bad := allow("2")
	bad.Effect = 0
	soon := &usherv1.SubscribeResponse_Expiring{Expiring: &usherv1.Expiring{}}
	for name, each := range map[string]struct {
		message func(id uint64) *usherv1.SubscribeResponse
		removes bool
	}{
		"ended": {func(id uint64) *usherv1.SubscribeResponse {
			return &usherv1.SubscribeResponse{Id: id, DecisionId: "1", Event: ended}
		}, false},
		"ended, about another": {func(id uint64) *usherv1.SubscribeResponse {
			return &usherv1.SubscribeResponse{Id: id, DecisionId: "x", Event: ended}
		}, false},
		"resync": {func(id uint64) *usherv1.SubscribeResponse {
			return &usherv1.SubscribeResponse{Id: id, DecisionId: "1", Event: resync}
		}, false},
		"a fault": {func(id uint64) *usherv1.SubscribeResponse {
			return faultOf(id, usherv1.Code_CODE_RESOURCE_EXHAUSTED, 0)
		}, false},
		"unset": {func(id uint64) *usherv1.SubscribeResponse {
			return &usherv1.SubscribeResponse{Id: id, DecisionId: "1"}
		}, true},
		"a checkpoint of its own": {func(id uint64) *usherv1.SubscribeResponse {
			message := checkpoint()
			message.Id, message.DecisionId = id, "1"
			return message
		}, true},
		"changed, about another": {func(id uint64) *usherv1.SubscribeResponse {
			return changed(id, "x", allow("2"))
		}, true},
		"expiring, about another": {func(id uint64) *usherv1.SubscribeResponse {
			return &usherv1.SubscribeResponse{Id: id, DecisionId: "x", Event: soon}
		}, true},
		"changed to what may not be kept": {func(id uint64) *usherv1.SubscribeResponse {
			return changed(id, "1", uncacheable(allow("2")))
		}, true},
		"changed to no decision":      {func(id uint64) *usherv1.SubscribeResponse { return changed(id, "1", nil) }, true},
		"changed to what is none":     {func(id uint64) *usherv1.SubscribeResponse { return changed(id, "1", bad) }, true},
		"a first decision once again": {func(id uint64) *usherv1.SubscribeResponse { return decided(id, allow("1")) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, client, here := keeping(t, long)
			id := here.held(client, ask("a"), allow("1"))
			here.held(client, ask("other"), allow("o"))
			here.say(each.message(id))
			if each.removes {
				if removed := here.removed(); removed != id {
					t.Errorf("removed %d", removed)
				}
			} else {
				here.sent(client)
			}
			expect(t, client, ask("other"), "ALLOW ALLOWED o")
			here.held(client, ask("a"), allow("3"))
			expect(t, client, ask("a"), "ALLOW ALLOWED 3")
		})
	}
}

func TestAnEventOfTheFutureEndsAnEntry(t *testing.T) {
	_, client, here := keeping(t, long)
	id := here.held(client, ask("a"), allow("1"))
	message := &usherv1.SubscribeResponse{Id: id, DecisionId: "1"}
	// Field 14: a kind of event that this client does not know.
	message.ProtoReflect().SetUnknown([]byte{14<<3 | 2, 0})
	here.say(message)
	if removed := here.removed(); removed != id {
		t.Errorf("removed %d", removed)
	}
}

func TestWhatExpiresSoonStands(t *testing.T) {
	_, client, here := keeping(t, long)
	id := here.held(client, ask("a"), allow("1"))
	here.say(&usherv1.SubscribeResponse{Id: id, DecisionId: "1", Event: &usherv1.SubscribeResponse_Expiring{
		Expiring: &usherv1.Expiring{EndsAt: timestamppb.Now()},
	}})
	here.sent(client)
	expect(t, client, ask("a"), "ALLOW ALLOWED 1")
}

func TestWithTheStreamEverythingIsGone(t *testing.T) {
	for name, lose := range map[string]func(*stream){
		"resync for all": func(here *stream) {
			here.say(&usherv1.SubscribeResponse{Event: &usherv1.SubscribeResponse_Resync{Resync: &usherv1.Resync{}}})
		},
		"the end":           func(here *stream) { here.end <- nil },
		"an error":          func(here *stream) { here.end <- errors.New("broken") },
		"no event, for all": func(here *stream) { here.say(&usherv1.SubscribeResponse{}) },
		"a fault, for all":  func(here *stream) { here.say(faultOf(0, usherv1.Code_CODE_INTERNAL, 0)) },
		"a change, for all": func(here *stream) { here.say(changed(0, "", allow("2"))) },
		"what has no meaning": func(here *stream) {
			message := checkpoint()
			// Field 2, decision_id, is no UTF-8.
			message.ProtoReflect().SetUnknown([]byte{2<<3 | 2, 1, 0xff})
			here.say(message)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, client, here := keeping(t, long)
			here.held(client, ask("a"), allow("1"))
			waiting := later(client, ask("b"))
			here.added()
			lose(here)
			if got := get(t, waiting); got.String() != "ALLOW ALLOWED alone" {
				t.Errorf("who waited: %v", got)
			}
			expect(t, client, ask("a"), "ALLOW ALLOWED alone")
			again := s.next(t)
			again.begin(long)
			// What was held comes back only as it is asked for, under a number of the new stream.
			var came <-chan result
			eventually(t, "it is added", func() bool {
				came = later(client, ask("a"))
				time.Sleep(5 * time.Millisecond)
				return len(again.asked) > 0
			})
			again.decide(again.added(), allow("2"))
			get(t, came)
			eventually(t, "it is known again", func() bool {
				return get(t, later(client, ask("a"))).String() == "ALLOW ALLOWED 2"
			})
			if stats := client.Stats(); stats.StreamsLost != 1 || stats.Silences != 0 || stats.Entries != 1 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestAStreamThatDoesNotSayHowItIsServedIsNotUsed(t *testing.T) {
	for name, terms := range map[string]*usherv1.StreamTerms{
		"nothing":       nil,
		"once":          {Mode: usherv1.Mode_MODE_ONCE},
		"no silence":    {Mode: usherv1.Mode_MODE_WATCH},
		"silence of 0":  watchTerms(0),
		"silence below": watchTerms(-time.Second),
		"another mode":  {Mode: 9, MaxSilence: watchTerms(long).MaxSilence},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t)
			client := s.client(t, usherd.WithCache(10))
			expect(t, client, ask("first"), "ALLOW ALLOWED alone")
			here := s.next(t)
			var came <-chan result
			eventually(t, "it is added", func() bool {
				came = later(client, ask("a"))
				time.Sleep(5 * time.Millisecond)
				return len(here.asked) > 0
			})
			message := decided(here.added(), allow("1"))
			message.Terms = terms
			here.say(message)
			if got := get(t, came); got.String() != "ALLOW ALLOWED alone" {
				t.Errorf("got %v", got)
			}
			eventually(t, "it is given up", func() bool { return client.Stats().StreamsLost == 1 })
			if stats := client.Stats(); stats.Entries != 0 || stats.Hits != 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestAfterSilenceNothingIsServed(t *testing.T) {
	const silence = 300 * time.Millisecond
	s, client, here := keeping(t, silence)
	id := here.held(client, ask("a"), allow("1"))
	told, asked := time.Now(), time.Duration(0)
	for {
		asked = time.Since(told)
		if got := get(t, later(client, ask("a"))); got.String() != "ALLOW ALLOWED 1" {
			break
		}
		if asked > silence {
			t.Fatalf("it was served when it was asked for after %v", asked)
		}
	}
	if since := time.Since(told); since < silence {
		t.Errorf("it was given up after %v", since)
	}
	// It speaks again, and is not believed.
	here.say(changed(id, "1", allow("2")))
	here.say(checkpoint())
	expect(t, client, ask("a"), "ALLOW ALLOWED alone")
	again := s.next(t)
	again.begin(long)
	if stats := client.Stats(); stats.Silences != 1 || stats.StreamsLost != 0 {
		t.Errorf("%+v", stats)
	}
	select {
	case <-here.gone:
	case <-time.After(5 * time.Second):
		t.Error("the stream was not given up")
	}
}

func TestAnythingThatIsHeardEndsTheSilence(t *testing.T) {
	const silence = 400 * time.Millisecond
	s, client, here := keeping(t, silence)
	here.held(client, ask("a"), allow("1"))
	for end := time.Now().Add(3 * silence); time.Now().Before(end); time.Sleep(silence / 8) {
		here.say(checkpoint())
		expect(t, client, ask("a"), "ALLOW ALLOWED 1")
	}
	if s.alone.Load() != 0 {
		t.Errorf("asked alone: %d", s.alone.Load())
	}
}
