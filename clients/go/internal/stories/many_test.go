//go:build stories

package stories

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

// More is watched than usherd takes on one connection (100): a question is answered all the same, and all are told.
func TestManyWatchesLeaveRoomForQuestionsAndAreAllTold(t *testing.T) {
	const many = 150
	l := start(t).lab(1)
	client := l.client(usherd.WithTimeout(10 * time.Second))
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	type said struct {
		usherd.Event
		err error
	}
	begun, told := make(chan bool, many), make(chan said, many)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	for number := range many {
		watching.Add(1)
		go func() {
			defer watching.Done()
			for event, err := range client.Watch(ctx, l.asks[0], usherd.Timeout(30*time.Second)) {
				if err == nil && event.Kind == usherd.Decided {
					begun <- true
					continue
				}
				told <- said{event, err}
				return
			}
		}()
		// A server refuses some of what begins in hundreds in one moment (server.limits.backlog).
		select {
		case <-begun:
		case early := <-told:
			t.Fatalf("watch %d: %+v", number, early)
		}
	}
	decision, err := client.Authorize(context.Background(), l.asks[0])
	if err != nil || !decision.Allowed() {
		t.Fatalf("a question: %v, %v", decision, err)
	}
	l.flip(0, true)
	for range many {
		if last := <-told; last.Kind != usherd.Changed || last.Decision.Reason() != "TEAM_BLOCKED" {
			t.Errorf("%v %v, %v", last.Kind, last.Decision, last.err)
		}
	}
}
