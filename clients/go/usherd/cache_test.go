package usherd_test

import (
	"errors"
	"fmt"
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

func TestTwoWishesForATeamAreNotAnsweredAsOneOfThem(t *testing.T) {
	_, client, here := keeping(t, long)
	team, alias := "red", "blue"
	question := ask("a")
	question.TeamID = &team
	here.held(client, question, allow("1"))
	expect(t, client, question, "ALLOW ALLOWED 1")
	question.TeamAlias = &alias
	if got := get(t, later(client, question)); kindOf(got.err) != usherd.InvalidRequest {
		t.Errorf("got %v", got)
	}
}
