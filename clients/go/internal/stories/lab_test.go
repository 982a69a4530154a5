//go:build stories

package stories

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

type lab struct {
	*storyServer
	asks       []usherd.Question
	maxSilence time.Duration
}

func (s *storyServer) lab(teams int) *lab {
	s.t.Helper()
	var begun struct {
		Asks       []asked
		MaxSilence float64 `json:"max_silence"`
	}
	s.call("POST", "/lab/begin", map[string]int{"teams": teams}, &begun)
	made := &lab{storyServer: s, maxSilence: time.Duration(begun.MaxSilence * float64(time.Second))}
	for _, each := range begun.Asks {
		made.asks = append(made.asks, each.question())
	}
	if len(made.asks) != teams || made.maxSilence <= 0 {
		s.t.Fatalf("%d teams, %v", len(made.asks), made.maxSilence)
	}
	return made
}

func (l *lab) flip(team int, blocked bool) {
	l.t.Helper()
	l.call("POST", "/lab/flip", map[string]any{"team": team, "blocked": blocked}, nil)
}

// warm is a client that has all answers at hand.
func (l *lab) warm(options ...usherd.Option) *usherd.Client {
	l.t.Helper()
	client := l.client(append([]usherd.Option{usherd.WithCache(1000)}, options...)...)
	l.t.Cleanup(func() { _ = client.Close() })
	l.known(client)
	return client
}

// known asks until everything is answered from memory.
func (l *lab) known(client *usherd.Client) {
	l.t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		before := client.Stats().Hits
		for _, question := range l.asks {
			_, _ = client.Authorize(context.Background(), question)
		}
		if client.Stats().Hits == before+uint64(len(l.asks)) {
			return
		}
	}
	l.t.Fatalf("it never knew all: %+v", client.Stats())
}

// window is how long the old answer may be given after the server has committed a change, of all but one in a hundred
// changes. On a quiet machine it is below 50 ms: USHERD_WINDOW_MS=50 holds the test to that.
func window(t *testing.T) time.Duration {
	t.Helper()
	said := os.Getenv("USHERD_WINDOW_MS")
	if said == "" {
		return time.Second
	}
	milliseconds, err := strconv.Atoi(said)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(milliseconds) * time.Millisecond
}

// From the moment in which the server has committed a change until the client answers by it there is only a moment, and
// when the new answer was seen once the old one never comes again.
func TestNoAnswerOutlivesTheChangeThatTookItBack(t *testing.T) {
	const (
		teams = 8
		flips = 400
	)
	l := start(t).lab(teams)
	client := l.warm()
	var newest [teams]atomic.Bool // blocked, as was seen last after a change
	var sure [teams]atomic.Int64  // how many changes are surely known
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Microsecond):
				}
				team := rand.IntN(teams)
				before, blocked := sure[team].Load(), newest[team].Load()
				decision, err := client.Authorize(context.Background(), l.asks[team])
				if err == nil && before == sure[team].Load() && before%2 == 0 && decision.Allowed() == blocked {
					t.Errorf("team %d: %v, when it was known to be blocked: %v", team, decision, blocked)
				}
			}
		}()
	}
	var windows []time.Duration
	for range flips {
		team := rand.IntN(teams)
		blocked := !newest[team].Load()
		// An odd number says that a change is under way: both answers are right.
		sure[team].Add(1)
		l.flip(team, blocked)
		committed := time.Now()
		for {
			decision, err := client.Authorize(context.Background(), l.asks[team])
			if err != nil {
				t.Fatal(err)
			}
			if decision.Allowed() != blocked {
				break
			}
			if time.Since(committed) > 5*time.Second {
				t.Fatalf("team %d: still %v", team, decision)
			}
			time.Sleep(100 * time.Microsecond)
		}
		windows = append(windows, time.Since(committed))
		newest[team].Store(blocked)
		sure[team].Add(1)
	}
	close(stop)
	readers.Wait()
	slices.Sort(windows)
	p50, p99 := windows[flips/2], windows[flips*99/100]
	t.Logf("told after: half of them %v, p99 %v, all %v; %+v", p50, p99, windows[flips-1], client.Stats())
	if p99 > window(t) {
		t.Errorf("p99 is %v", p99)
	}
	if stats := client.Stats(); stats.Changed < flips*9/10 || stats.Hits < flips {
		t.Errorf("it was not told: %+v", stats)
	}
}

func TestARevocationEndsWhatIsHeld(t *testing.T) {
	l := start(t).lab(4)
	client := l.warm()
	for team := range 2 {
		l.call("POST", "/lab/revoke", map[string]int{"team": team}, nil)
		revoked := time.Now()
		for {
			decision, err := client.Authorize(context.Background(), l.asks[team])
			if err != nil {
				t.Fatal(err)
			}
			if !decision.Allowed() {
				if decision.Reason() != "TOKEN_REVOKED" {
					t.Errorf("got %v", decision)
				}
				break
			}
			if time.Since(revoked) > 5*time.Second {
				t.Fatal("it is still allowed")
			}
			time.Sleep(time.Millisecond)
		}
	}
	if decision, err := client.Authorize(context.Background(), l.asks[3]); err != nil || !decision.Allowed() {
		t.Errorf("another: %v, %v", decision, err)
	}
}

func TestAWatchTellsOfARevocation(t *testing.T) {
	l := start(t).lab(2)
	client := l.client()
	t.Cleanup(func() { _ = client.Close() })
	var kinds []usherd.EventKind
	for event, err := range client.Watch(context.Background(), l.asks[0]) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, event.Kind)
		switch len(kinds) {
		case 1:
			l.flip(0, true)
		case 2:
			if event.Allowed() || event.Decision.Reason() != "TEAM_BLOCKED" || event.Cause != "DIRECTORY" {
				t.Errorf("got %v", event)
			}
			l.flip(0, false)
		case 3:
			if !event.Allowed() {
				t.Errorf("got %v", event)
			}
			l.call("POST", "/lab/revoke", map[string]int{"team": 0}, nil)
		}
	}
	want := []usherd.EventKind{usherd.Decided, usherd.Changed, usherd.Changed, usherd.Ended}
	if !slices.Equal(kinds, want) {
		t.Errorf("got %v", kinds)
	}
}

// The server stands still: what it told counts until max_silence, and no longer. When it goes on, so does the client.
func TestAServerThatStandsStillIsNotBelievedForLong(t *testing.T) {
	l := start(t).lab(4)
	client := l.warm(usherd.WithTimeout(200 * time.Millisecond))
	if err := syscall.Kill(l.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	going := false
	defer func() {
		if !going {
			_ = syscall.Kill(l.Pid, syscall.SIGCONT)
		}
	}()
	stopped := time.Now()
	hits, last := uint64(0), time.Duration(0)
	for time.Since(stopped) < l.maxSilence+time.Second {
		before := client.Stats().Hits
		asked := time.Now()
		decision, err := client.Authorize(context.Background(), l.asks[0])
		if client.Stats().Hits > before {
			if !decision.Allowed() || err != nil {
				t.Fatalf("from memory: %v, %v", decision, err)
			}
			hits, last = hits+1, asked.Sub(stopped)
			time.Sleep(time.Millisecond)
			continue
		}
		var fault *usherd.Fault
		if !errors.As(err, &fault) || decision.Allowed() {
			t.Fatalf("of a server that stands still: %v, %v", decision, err)
		}
	}
	t.Logf("max_silence is %v: %d hits, the last after %v; %+v", l.maxSilence, hits, last, client.Stats())
	if hits == 0 || last > l.maxSilence {
		t.Errorf("the last of %d hits came after %v", hits, last)
	}
	if stats := client.Stats(); stats.Silences == 0 || stats.Entries != 0 {
		t.Errorf("%+v", stats)
	}
	if err := syscall.Kill(l.Pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	going = true
	l.known(client)
}
