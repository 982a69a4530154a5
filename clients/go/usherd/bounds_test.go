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

func TestNothingIsServedAfterItsEnd(t *testing.T) {
	_, client, here := keeping(t, long)
	end := time.Now().Add(time.Second)
	decision := allow("1")
	decision.ValidUntil = timestamppb.New(end)
	id := here.held(client, ask("a"), decision)
	for time.Now().Before(end.Add(-700 * time.Millisecond)) {
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
		if took := time.Since(began); took < wait*8/10 || took > wait*12/10+time.Second {
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
		readers.Add(1)
		go func() {
			defer readers.Done()
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
		}()
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

func TestARequestIDThatMayNotBeSentEndsNothingOfOthers(t *testing.T) {
	s, client, here := keeping(t, long)
	here.held(client, ask("a"), allow("1"))
	for _, id := range []string{"\xff", "two\nlines", "käse", strings.Repeat("x", 129)} {
		for _, token := range []string{"a", "new"} {
			if got := get(t, later(client, ask(token), usherd.RequestID(id))); kindOf(got.err) != usherd.InvalidRequest {
				t.Errorf("%q: %v", id, got)
			}
		}
		if _, err := client.BatchCheck(
			context.Background(), "", []usherd.Question{ask("a")}, usherd.RequestID(id),
		); kindOf(err) != usherd.InvalidRequest {
			t.Errorf("%q in a batch: %v", id, err)
		}
	}
	if got := get(t, later(client, ask("a"), usherd.AtLeastAsFresh("\xff"))); kindOf(got.err) != usherd.InvalidRequest {
		t.Errorf("a revision: %v", got)
	}
	if got := get(t, later(client, ask("a"), usherd.RequestID(strings.Repeat("~ ", 64)))); got.err != nil {
		t.Error(got.err)
	}
	here.sent(client)
	expect(t, client, ask("a"), "ALLOW ALLOWED 1")
	if stats := client.Stats(); stats.StreamsLost != 0 || s.alone.Load() != 0 {
		t.Errorf("%+v, %d alone", stats, s.alone.Load())
	}
}
