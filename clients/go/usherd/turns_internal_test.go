package usherd

import (
	"context"
	"testing"
	"time"
)

func millis(t *turns, now time.Time, calls int) []int64 {
	waits := make([]int64, calls)
	for at := range waits {
		waits[at] = max(t.take(now), 0).Milliseconds()
	}
	return waits
}

func TestCallsBeginNoFasterThanAServerTakesThemUp(t *testing.T) {
	turns, now := &turns{}, time.Unix(1_000_000, 0)
	for _, wait := range millis(turns, now, callsAtOnce) {
		if wait != 0 {
			t.Fatalf("got %d ms, expected none to wait", wait)
		}
	}
	for at, wait := range millis(turns, now, 50) {
		if wait != int64(at+1) {
			t.Fatalf("got %d ms for number %d behind those that begin at once", wait, at+1)
		}
	}
	if wait := millis(turns, now.Add(time.Minute), 1)[0]; wait != 0 {
		t.Fatalf("got %d ms after a minute", wait)
	}
}

func TestWhoGivesUpBeforeItsTurnHoldsUpNobody(t *testing.T) {
	over := make(chan struct{})
	turns := &turns{over: over}
	started := time.Now()
	millis(turns, started, 60_000)
	before := turns.last
	for range 100 {
		if _, fault := turns.wait(context.Background(), time.Microsecond); fault == nil || fault.Kind != OutOfTime {
			t.Fatalf("got %v", fault)
		}
	}
	gone, leave := context.WithCancel(context.Background())
	leave()
	if _, fault := turns.wait(gone, time.Hour); fault == nil || fault.Kind != Canceled {
		t.Fatalf("got %v", fault)
	}
	if turns.last != before {
		t.Fatalf("turns that were given up still count: %v", turns.last.Sub(before))
	}
	close(over)
	if _, fault := turns.wait(context.Background(), time.Hour); fault == nil || fault.Kind != Closed {
		t.Fatalf("got %v", fault)
	}
}

func TestAWatchWaitsForItsTurnWithinItsTimeAndNotBeyond(t *testing.T) {
	client, err := New("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	millis(client.turns, time.Now(), 60_000)
	w := &watcher{client: client}
	began := time.Now()
	if _, fault := w.follow(context.Background(), 50*time.Millisecond, true); fault == nil || fault.Kind != OutOfTime {
		t.Fatalf("got %v", fault)
	}
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Fatalf("gave up after %v", took)
	}
	if open := len(client.watches.all); open != 0 {
		t.Fatalf("got %d connections for a call that never began", open)
	}
}
