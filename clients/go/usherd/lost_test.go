package usherd_test

import (
	"context"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/internal/lossy"
	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

// late is how much later than it was sent something may be heard on a busy machine.
const late = 300 * time.Millisecond

// lossyCache is a client whose way to the server can lose everything, with one answer in its cache and a server that
// confirms it ten times as often as it has to.
func lossyCache(t *testing.T, silence time.Duration) (*scripted, *lossy.Way, *usherd.Client) {
	t.Helper()
	s := newScripted(t)
	way := lossy.To(t, s.target)
	client := (&scripted{target: way.Address}).client(t, usherd.WithCache(10))
	here := s.keeps(t, client, silence)
	here.held(client, ask("a"), allow("1"))
	go func() {
		for {
			select {
			case <-here.gone:
				return
			case <-time.After(silence / 10):
				here.say(checkpoint())
			}
		}
	}()
	return s, way, client
}

func TestWhatIsKnownIsNotServedWhenEverythingIsLostOnTheWay(t *testing.T) {
	const silence = time.Second
	s, way, client := lossyCache(t, silence)
	// It goes on for longer than the silence, as long as something comes through.
	for end := time.Now().Add(2 * silence); time.Now().Before(end); time.Sleep(silence / 20) {
		expect(t, client, ask("a"), "ALLOW ALLOWED 1")
	}
	way.Swallow(true)
	lost, asked := time.Now(), time.Duration(0)
	for {
		asked = time.Since(lost)
		decision, err := client.Authorize(context.Background(), ask("a"), usherd.Timeout(50*time.Millisecond))
		if err != nil {
			if kindOf(err) != usherd.OutOfTime || decision.Allowed() {
				t.Errorf("after %v: %v, %v", asked, decision, err)
			}
			break
		}
		if asked > silence+late {
			t.Fatalf("it was served when it was asked for %v after everything was lost", asked)
		}
		time.Sleep(time.Millisecond)
	}
	if asked < silence/2 {
		t.Errorf("it was given up after %v", asked)
	}
	// No socket was closed, and still nothing is believed.
	for range 5 {
		if decision, err := client.Authorize(
			context.Background(), ask("a"), usherd.Timeout(50*time.Millisecond),
		); kindOf(err) != usherd.OutOfTime || decision.Allowed() {
			t.Errorf("got %v, %v", decision, err)
		}
	}
	if stats := client.Stats(); stats.Silences == 0 || stats.Entries != 0 {
		t.Errorf("%+v", stats)
	}
	way.Swallow(false)
	way.Break()
	eventually(t, "it is answered again", func() bool {
		return get(t, later(client, ask("a"))).String() == "ALLOW ALLOWED alone"
	})
	s.next(t)
}

func TestAWatchIsUnknownWhenEverythingIsLostOnTheWay(t *testing.T) {
	const silence = time.Second
	s, streams := playing(t)
	way := lossy.To(t, s.target)
	client := (&scripted{target: way.Address}).client(t)
	watch := hearing(t, context.Background(), client)
	go func() {
		here := next(t, streams)
		here.say(t, living(allow("1"), silence))
		here.say(t, &usherv1.AuthorizeResponse{Event: &usherv1.AuthorizeResponse_Checkpoint{Checkpoint: &usherv1.Checkpoint{}}})
	}()
	watch.expect(usherd.Decided, true, "1")
	way.Swallow(true)
	lost := time.Now()
	watch.expect(usherd.Unknown, false, "")
	if took := time.Since(lost); took > silence+late {
		t.Errorf("it was known to be unknown after %v", took)
	}
	watch.over()
}
