package usherd_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

const long = time.Minute

func TestWhatIsKnownIsAnsweredFromMemory(t *testing.T) {
	s, client, here := keeping(t, long)
	here.held(client, ask("a"), allow("1"))
	here.held(client, ask("b"), deny("2", usherv1.Reason_REASON_TEAM_BLOCKED))
	before := client.Stats()
	for range 3 {
		expect(t, client, ask("a"), "ALLOW ALLOWED 1")
		expect(t, client, ask("b"), "DENY TEAM_BLOCKED 2")
	}
	after := client.Stats()
	if s.alone.Load() != 0 || len(here.asked) != 0 || after.Hits-before.Hits != 6 || after.Entries != 2 {
		t.Errorf("asked alone %d, on the stream %d, %+v", s.alone.Load(), len(here.asked), after)
	}
}

func TestOptionsThatDoNotChangeTheAnswerAreAnsweredFromMemoryToo(t *testing.T) {
	s, client, here := keeping(t, long)
	here.held(client, ask("a"), allow("1"))
	for _, option := range []usherd.CallOption{usherd.RequestID("r1"), usherd.Timeout(time.Second)} {
		if got := get(t, later(client, ask("a"), option)); got.String() != "ALLOW ALLOWED 1" {
			t.Errorf("got %v", got)
		}
	}
	for _, option := range []usherd.CallOption{usherd.Explain(), usherd.AtLeastAsFresh("s:1")} {
		if got := get(t, later(client, ask("a"), option)); got.String() != "ALLOW ALLOWED alone" {
			t.Errorf("it did not pass the cache by: %v", got)
		}
	}
	if s.alone.Load() != 2 {
		t.Errorf("asked alone %d times", s.alone.Load())
	}
}

func TestEveryPartOfAQuestionKeepsItApart(t *testing.T) {
	_, client, here := keeping(t, long)
	text := func(value string) *string { return &value }
	questions := []usherd.Question{
		{Token: "t", Route: "/a"},
		{Token: "t", Route: "/ab"},
		{Token: "t2", Route: "/a"},
		{Token: "t", Route: "/a", Method: "GET"},
		{Token: "t", Route: "/a", Model: text("")},
		{Token: "t", Route: "/a", Model: text("m")},
		{Token: "t", Route: "/a", FallbackModels: []string{""}},
		{Token: "t", Route: "/a", FallbackModels: []string{"m", "n"}},
		{Token: "t", Route: "/a", FallbackModels: []string{"n", "m"}},
		{Token: "t", Route: "/a", FallbackModels: []string{"mn"}},
		{Token: "t", Route: "/a", FallbackModels: []string{"1:m1:n"}},
		{Token: "t", Route: "/a", TeamID: text("")},
		{Token: "t", Route: "/a", TeamAlias: text("")},
		{Token: "t", Route: "/a", TeamID: text("x")},
		{Token: "t", Route: "/a", TeamAlias: text("x")},
		{Token: "t", Route: "/a", EndUserID: "x"},
		{Token: "t", Route: "/a", OrganizationID: "x"},
		{Token: "t", Route: "/a", ModifiesGuardrails: true},
	}
	for number, question := range questions {
		here.held(client, question, allow(fmt.Sprint(number)))
	}
	for number, question := range questions {
		expect(t, client, question, fmt.Sprintf("ALLOW ALLOWED %d", number))
	}
}

func TestTheSameQuestionAtTheSameTimeIsAddedOnce(t *testing.T) {
	_, client, here := keeping(t, long)
	first := later(client, ask("a"))
	id := here.added()
	var others []<-chan result
	for range 20 {
		others = append(others, later(client, ask("a")))
	}
	time.Sleep(50 * time.Millisecond)
	here.decide(id, allow("1"))
	for _, each := range append(others, first) {
		if got := get(t, each); got.String() != "ALLOW ALLOWED 1" {
			t.Errorf("got %v", got)
		}
	}
	if len(here.asked) != 0 {
		t.Error("it was added again")
	}
}

func TestWhoGivesUpDoesNotTakeTheAnswerFromTheOthers(t *testing.T) {
	s, client, here := keeping(t, long)
	s.authorize = func(_ *usherv1.AuthorizeRequest, out authorizeStream) error {
		<-out.Context().Done()
		return out.Context().Err()
	}
	leader := later(client, ask("a"), usherd.Timeout(100*time.Millisecond))
	id := here.added()
	other := later(client, ask("a"))
	if got := get(t, leader); kindOf(got.err) != usherd.OutOfTime {
		t.Errorf("the leader: %v", got)
	}
	here.decide(id, allow("1"))
	if got := get(t, other); got.String() != "ALLOW ALLOWED 1" {
		t.Errorf("the other: %v", got)
	}
	expect(t, client, ask("a"), "ALLOW ALLOWED 1")
}

func TestWhoHasWaitedForHalfOfTheDeadlineAsksByItself(t *testing.T) {
	s, client, here := keeping(t, long)
	began := time.Now()
	slow := later(client, ask("a"), usherd.Timeout(400*time.Millisecond))
	id := here.added()
	if got := get(t, slow); got.String() != "ALLOW ALLOWED alone" {
		t.Errorf("got %v", got)
	}
	if took := time.Since(began); took < 190*time.Millisecond || s.alone.Load() != 1 {
		t.Errorf("after %v, alone %d", took, s.alone.Load())
	}
	// What comes late is kept all the same.
	here.decide(id, allow("1"))
	here.sent(client)
	expect(t, client, ask("a"), "ALLOW ALLOWED 1")
}

func TestNobodyWaitsForAStreamThatHasNotSpoken(t *testing.T) {
	s := newScripted(t)
	client := s.client(t, usherd.WithCache(10))
	expect(t, client, ask("first"), "ALLOW ALLOWED alone")
	here := s.next(t)
	// One is added, to bring it to life, and asked by itself all the same.
	for range 5 {
		expect(t, client, ask("a"), "ALLOW ALLOWED alone")
		expect(t, client, ask("b"), "ALLOW ALLOWED alone")
	}
	var id uint64
	eventually(t, "one is added", func() bool {
		expect(t, client, ask("a"), "ALLOW ALLOWED alone")
		return len(here.asked) > 0
	})
	id = here.added()
	if len(here.asked) != 0 {
		t.Error("more than one was added")
	}
	message := decided(id, allow("1"))
	message.Terms = watchTerms(long)
	here.say(message)
	eventually(t, "it is kept", func() bool { return client.Stats().Entries == 1 })
}

func TestWhileTheStreamIsNotThereQuestionsAreAskedByThemselves(t *testing.T) {
	s := newScripted(t)
	client := s.client(t, usherd.WithCache(10))
	expect(t, client, ask("a"), "ALLOW ALLOWED alone")
	here := s.next(t)
	here.end <- errors.New("gone")
	expect(t, client, ask("a"), "ALLOW ALLOWED alone")
	if stats := client.Stats(); stats.Entries != 0 || stats.Hits != 0 || stats.Alone != stats.Misses {
		t.Errorf("something was kept: %+v", stats)
	}
}

func TestAtMost256AdditionsAreUnderWay(t *testing.T) {
	s, client, here := keeping(t, long, usherd.WithCache(10_000))
	var all []<-chan result
	for number := range 256 {
		all = append(all, later(client, ask(fmt.Sprint(number))))
	}
	ids := []uint64{}
	for len(ids) < 256 {
		for _, each := range here.request().GetAdd() {
			ids = append(ids, each.GetId())
		}
	}
	expect(t, client, ask("beyond"), "ALLOW ALLOWED alone")
	for _, id := range ids {
		here.decide(id, allow(fmt.Sprint(id)))
	}
	for _, each := range all {
		if got := get(t, each); got.err != nil || got.decision.ID() == "alone" {
			t.Errorf("got %v", got)
		}
	}
	if s.alone.Load() != 1 {
		t.Errorf("asked alone: %d", s.alone.Load())
	}
	here.held(client, ask("beyond"), allow("b"))
}

func TestAFaultOfASubscriptionIsTheAnswerUnlessThereWasNoRoom(t *testing.T) {
	_, client, here := keeping(t, long)
	came := later(client, ask("a"))
	here.say(faultOf(here.added(), usherv1.Code_CODE_UNAVAILABLE, usherv1.FaultReason_FAULT_REASON_KEYS_UNAVAILABLE))
	got := get(t, came)
	var fault *usherd.Fault
	if !errors.As(got.err, &fault) || fault.Kind != usherd.Unavailable || fault.Reason != "KEYS_UNAVAILABLE" {
		t.Errorf("a fault: %v", got)
	}
	came = later(client, ask("a"))
	here.say(faultOf(here.added(), usherv1.Code_CODE_RESOURCE_EXHAUSTED, usherv1.FaultReason_FAULT_REASON_OVERLOADED))
	if got := get(t, came); got.String() != "ALLOW ALLOWED alone" {
		t.Errorf("no room: %v", got)
	}
	if stats := client.Stats(); stats.Entries != 0 {
		t.Errorf("kept: %+v", stats)
	}
}

func faultOf(id uint64, code usherv1.Code, reason usherv1.FaultReason) *usherv1.SubscribeResponse {
	return &usherv1.SubscribeResponse{Id: id, Event: &usherv1.SubscribeResponse_Fault{
		Fault: &usherv1.Fault{Code: code, Reason: reason},
	}}
}

func TestWhatMayNotBeKeptIsRemovedFromTheStream(t *testing.T) {
	for name, spoil := range map[string]func(*usherv1.Decision){
		"not cacheable":   func(d *usherv1.Decision) { d.Cacheable = false },
		"no end":          func(d *usherv1.Decision) { d.ValidUntil = nil },
		"an end that was": func(d *usherv1.Decision) { d.ValidUntil = timestamppb.New(time.Now().Add(-time.Second)) },
		"a strange end":   func(d *usherv1.Decision) { d.ValidUntil = &timestamppb.Timestamp{Seconds: 1 << 60} },
		"an unknown kind": func(d *usherv1.Decision) { d.DependsOn = []*usherv1.Dependency{{Kind: 99}} },
		"no kind":         func(d *usherv1.Decision) { d.DependsOn = []*usherv1.Dependency{{}} },
	} {
		t.Run(name, func(t *testing.T) {
			_, client, here := keeping(t, long)
			decision := allow("1")
			spoil(decision)
			id := here.held(client, ask("a"), decision)
			if removed := here.removed(); removed != id {
				t.Errorf("removed %d, not %d", removed, id)
			}
			here.held(client, ask("a"), allow("2"))
		})
	}
}

func TestADecisionThatIsNoneIsAFaultAndNotKept(t *testing.T) {
	_, client, here := keeping(t, long)
	came := later(client, ask("a"))
	id := here.added()
	wire := allow("1")
	wire.Effect = 9
	here.decide(id, wire)
	if got := get(t, came); kindOf(got.err) != usherd.BadAnswer {
		t.Errorf("got %v", got)
	}
	if removed := here.removed(); removed != id {
		t.Errorf("removed %d", removed)
	}
}

func TestADecisionUnderAnotherIDIsAskedForByItself(t *testing.T) {
	_, client, here := keeping(t, long)
	came := later(client, ask("a"))
	id := here.added()
	message := decided(id, allow("1"))
	message.DecisionId = "2"
	here.say(message)
	if got := get(t, came); got.String() != "ALLOW ALLOWED alone" {
		t.Errorf("got %v", got)
	}
	if removed := here.removed(); removed != id {
		t.Errorf("removed %d", removed)
	}
}

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
	told := time.Now()
	for {
		got := get(t, later(client, ask("a")))
		if got.String() != "ALLOW ALLOWED 1" {
			break
		}
		if since := time.Since(told); since > silence+50*time.Millisecond {
			t.Fatalf("it was served after %v", since)
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

func TestNothingIsServedAfterItsEnd(t *testing.T) {
	_, client, here := keeping(t, long)
	end := time.Now().Add(200 * time.Millisecond)
	decision := allow("1")
	decision.ValidUntil = timestamppb.New(end)
	id := here.held(client, ask("a"), decision)
	for time.Now().Before(end.Add(-20 * time.Millisecond)) {
		expect(t, client, ask("a"), "ALLOW ALLOWED 1")
	}
	time.Sleep(time.Until(end))
	came := later(client, ask("a"))
	if removed := here.request(); len(removed.GetRemove()) != 1 || removed.GetRemove()[0] != id {
		t.Errorf("first %v", removed.GetRemove())
	}
	here.decide(here.added(), allow("2"))
	if got := get(t, came); got.String() != "ALLOW ALLOWED 2" {
		t.Errorf("got %v", got)
	}
}

func TestTheLeastRecentlyUsedGoesFirst(t *testing.T) {
	_, client, here := keeping(t, long, usherd.WithCache(3))
	ids := map[string]uint64{}
	for _, name := range []string{"a", "b", "c"} {
		ids[name] = here.held(client, ask(name), allow(name))
	}
	expect(t, client, ask("a"), "ALLOW ALLOWED a")
	expect(t, client, ask("c"), "ALLOW ALLOWED c")
	for _, step := range []struct{ comes, goes string }{{"d", "b"}, {"e", "a"}, {"f", "c"}} {
		came := later(client, ask(step.comes))
		// The server takes additions before removals: what makes room has to come in a message before.
		if removed := here.removed(); removed != ids[step.goes] {
			t.Errorf("%s: removed %d of %v", step.comes, removed, ids)
		}
		ids[step.comes] = here.added()
		here.decide(ids[step.comes], allow(step.comes))
		get(t, came)
	}
	if stats := client.Stats(); stats.Entries != 3 || stats.Evicted != 3 {
		t.Errorf("%+v", stats)
	}
}

func TestALongQuestionIsAskedAndNotKept(t *testing.T) {
	s, client, here := keeping(t, long)
	for range 2 {
		expect(t, client, ask(strings.Repeat("x", 20<<10)), "ALLOW ALLOWED alone")
	}
	if len(here.asked) != 0 || s.alone.Load() != 2 {
		t.Errorf("on the stream %d, alone %d", len(here.asked), s.alone.Load())
	}
}

func TestMessagesStayWithinWhatTheServerTakes(t *testing.T) {
	s, client, here := keeping(t, long, usherd.WithCache(1000))
	// Together they are 4 MB: one message of more than 256 KiB would end the stream.
	var all []<-chan result
	for number := range 256 {
		all = append(all, later(client, ask(fmt.Sprint(number, strings.Repeat("x", 16_000)))))
	}
	for answered := 0; answered < 256; {
		request := here.request()
		if changes := len(request.GetAdd()) + len(request.GetRemove()); changes > 256 {
			t.Fatalf("%d changes", changes)
		}
		for _, each := range request.GetAdd() {
			answered++
			here.decide(each.GetId(), allow(fmt.Sprint(each.GetId())))
		}
	}
	for _, each := range all {
		if got := get(t, each); got.err != nil || got.decision.ID() == "alone" {
			t.Fatalf("got %v", got)
		}
	}
	if s.alone.Load() != 0 || client.Stats().StreamsLost != 0 {
		t.Errorf("alone %d, %+v", s.alone.Load(), client.Stats())
	}
}

func TestReopeningWaitsLongerEachTime(t *testing.T) {
	s := newScripted(t)
	client := s.client(t, usherd.WithCache(10))
	expect(t, client, ask("a"), "ALLOW ALLOWED alone")
	here := s.next(t)
	for _, wait := range []time.Duration{100, 200, 400} {
		wait *= time.Millisecond
		began := time.Now()
		here.end <- errors.New("broken")
		here = s.next(t)
		if took := time.Since(began); took < wait*8/10 || took > wait*12/10+200*time.Millisecond {
			t.Errorf("it took %v, not about %v", took, wait)
		}
	}
}

func TestClosingEndsWhatWaits(t *testing.T) {
	_, client, here := keeping(t, long)
	came := later(client, ask("a"))
	here.added()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if got := get(t, came); kindOf(got.err) != usherd.Closed {
		t.Errorf("got %v", got)
	}
	expect(t, client, ask("a"), "usherd: the client is closed")
	select {
	case <-here.gone:
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on")
	}
}

// Flips decisions under many readers, and holds each answer against what the server had said by then.
func TestNothingIsServedThatWasTakenBackBefore(t *testing.T) {
	_, client, here := keeping(t, long)
	const questions, flips = 8, 100
	var mu sync.Mutex
	said := map[string]int{} // the newest number that is surely known to the client
	ids := map[string]uint64{}
	for number := range questions {
		name := fmt.Sprint("q", number)
		ids[name] = here.held(client, ask(name), allow("0"))
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for number := 0; ; number++ {
				select {
				case <-stop:
					return
				default:
				}
				runtime.Gosched()
				name := fmt.Sprint("q", number%questions)
				mu.Lock()
				least := said[name]
				mu.Unlock()
				decision, err := client.Authorize(context.Background(), ask(name))
				var got int
				if _, scanned := fmt.Sscan(decision.ID(), &got); err != nil || scanned != nil || got < least {
					t.Errorf("%s: got %v %q, %v, when %d was known", name, decision, decision.ID(), err, least)
					return
				}
			}
		})
	}
	for flip := 1; flip <= flips; flip++ {
		name := fmt.Sprint("q", flip%questions)
		mu.Lock()
		before := said[name]
		mu.Unlock()
		decision := allow(fmt.Sprint(flip))
		if flip%2 == 0 {
			decision = deny(fmt.Sprint(flip), usherv1.Reason_REASON_TEAM_BLOCKED)
		}
		here.say(changed(ids[name], fmt.Sprint(before), decision))
		here.sent(client)
		mu.Lock()
		said[name] = flip
		mu.Unlock()
	}
	close(stop)
	readers.Wait()
	if hits := client.Stats().Hits; hits < flips {
		t.Errorf("only %d hits", hits)
	}
}
