package usherd

import (
	"sync"
	"time"
)

const (
	// looksEvery is how soon it is noticed that the machine has slept: timers stand still meanwhile, and do not know of it.
	looksEvery = time.Second
	// sleptFor is what the two clocks have to differ by: less is a wall clock that is being put right.
	sleptFor = 100 * time.Millisecond
)

// sleeps tells streams that the machine has slept. One timer runs for all of them, and none while there are none.
type sleeps struct {
	now func() time.Time

	mu     sync.Mutex
	told   map[*silence]struct{}
	looked time.Time
	timer  *time.Timer
}

// silence ends a stream on which nothing was heard for too long.
type silence struct {
	mu    sync.Mutex
	after time.Duration
	heard time.Time
	timer *time.Timer // nil: it is over
}

// watch ends a stream that is silent for so long after it was heard, until it is left.
func (s *sleeps) watch(after time.Duration, heard time.Time, end func()) *silence {
	made := &silence{after: after, heard: heard, timer: time.AfterFunc(max(after, 0), end)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) == 0 {
		s.told = map[*silence]struct{}{}
		s.looked = s.now()
		s.timer = time.AfterFunc(looksEvery, s.look)
	}
	s.told[made] = struct{}{}
	return made
}

func (s *sleeps) leave(left *silence) {
	s.mu.Lock()
	delete(s.told, left)
	if len(s.told) == 0 {
		s.timer.Stop()
	}
	s.mu.Unlock()
	left.mu.Lock()
	left.timer.Stop()
	left.timer = nil
	left.mu.Unlock()
}

func (s *sleeps) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) == 0 {
		return
	}
	now := s.now()
	if gap(s.looked, now)-now.Sub(s.looked) >= sleptFor {
		for each := range s.told {
			each.slept(now)
		}
	}
	s.looked = now
	s.timer.Reset(looksEvery)
}

// again begins the silence anew.
func (s *silence) again(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = now
	s.timer.Reset(s.after)
}

// slept lets the timer run for what is left.
func (s *silence) slept(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Reset(max(s.after-gap(s.heard, now), 0))
	}
}
