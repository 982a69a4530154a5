package usherd

import (
	"context"
	"testing"
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// standing is a cache with a stream that has told one decision, and was heard that long ago. No timer runs.
func standing(silence, ago time.Duration) (*cache, *feed, key) {
	c := &cache{now: time.Now, limit: 10, entries: map[key]*entry{}, numbered: map[uint64]*entry{}}
	_, cancel := context.WithCancel(context.Background())
	now := time.Now()
	f := &feed{cancel: cancel, terms: true, silence: silence, heard: now.Add(-ago), more: make(chan struct{}, 1)}
	c.feed = f
	e := &entry{key: key{token: "t"}, number: 1, answered: make(chan struct{})}
	c.entries[e.key], c.numbered[1], c.pending = e, e, 1
	c.settle(e, outcome{})
	wire := &usherv1.Decision{Effect: usherv1.Effect_EFFECT_DENY, Reason: 60}
	c.hold(e, Decision{&held{wire: wire, validUntil: now.Add(time.Hour)}}, now)
	return c, f, e.key
}

func TestWhatWasInABufferWhileThisProcessStoodStillIsNotHeard(t *testing.T) {
	confirmed := &usherv1.SubscribeResponse{
		Event: &usherv1.SubscribeResponse_Checkpoint{Checkpoint: &usherv1.Checkpoint{}},
	}
	c, f, k := standing(time.Second, 2*time.Second)
	if _, hit := c.hit(k); hit {
		t.Error("it was served")
	}
	c.hear(f, confirmed, time.Now())
	if c.feed != nil || len(c.entries) != 0 || c.count.silences.Load() != 1 {
		t.Error("a stream that was silent for too long is believed")
	}
	c, f, k = standing(time.Minute, 2*time.Second)
	c.hear(f, confirmed, time.Now())
	if _, hit := c.hit(k); c.feed != f || !hit {
		t.Error("a stream that spoke in time is not believed")
	}
}

func TestNobodyLooksWhetherTheMachineSleptWhileNothingIsWatched(t *testing.T) {
	s := &sleeps{now: time.Now}
	first, second := s.watch(time.Hour, time.Now(), func() {}), s.watch(time.Hour, time.Now(), func() {})
	s.leave(first)
	looks := s.timer.Stop()
	s.leave(second)
	if still := s.timer.Stop(); !looks || still || len(s.told) != 0 {
		t.Errorf("%v with one, %v with none, %d told", looks, still, len(s.told))
	}
}
