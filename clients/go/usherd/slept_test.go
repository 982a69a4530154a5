package usherd_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

// sleeper is the clock of a machine that can sleep, or have its wall clock put back: the clock that never goes back knows
// nothing of either.
type sleeper struct{ wall atomic.Int64 }

func (s *sleeper) sleep(long time.Duration) { s.wall.Add(int64(long)) }

func (s *sleeper) now() time.Time { return shifted(time.Now(), time.Duration(s.wall.Load())) }

// shifted is that time with its wall clock moved, and the other one not. Nothing that time offers makes one.
func shifted(at time.Time, by time.Duration) time.Time {
	at = at.Add(by)
	(*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&at)).ext -= int64(by)
	return at
}

func TestTheClockOfThisTestSleeps(t *testing.T) {
	begun := time.Now()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		after := shifted(begun, by)
		if steady, wall := after.Sub(begun), time.Duration(after.UnixNano()-begun.UnixNano()); steady != 0 || wall != by {
			t.Errorf("%v and %v instead of 0 and %v", steady, wall, by)
		}
	}
}

// holding is a client whose cache has an answer, by a clock that can sleep, and the stream that tells of it.
func holding(t *testing.T, silence time.Duration) (*scripted, *stream, *usherd.Client, *sleeper) {
	t.Helper()
	s, clock := newScripted(t), &sleeper{}
	client := s.client(t, usherd.WithCache(10), usherd.WithClock(clock.now))
	here := s.keeps(t, client, silence)
	here.held(client, ask("a"), allow("1"))
	return s, here, client, clock
}

func TestNothingIsServedOfWhatIsOlderThanMaxSilenceBecauseTheMachineSlept(t *testing.T) {
	const silence = time.Minute
	_, _, client, clock := holding(t, silence)
	clock.sleep(silence / 2)
	expect(t, client, ask("a"), "ALLOW ALLOWED 1")
	clock.sleep(silence)
	expect(t, client, ask("a"), "ALLOW ALLOWED alone")
	if stats := client.Stats(); stats.Silences != 1 || stats.Entries != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestAStreamThatSpeaksAfterTheMachineSleptIsNotBelieved(t *testing.T) {
	const silence = time.Minute
	s, here, client, clock := holding(t, silence)
	clock.sleep(2 * silence)
	here.say(checkpoint())
	eventually(t, "the stream is lost", func() bool { return client.Stats().Silences == 1 && client.Stats().Entries == 0 })
	s.next(t)
}

func TestAWatchIsUnknownWhenTheMachineSleptForLongerThanMaxSilence(t *testing.T) {
	const silence = time.Minute
	s, streams := playing(t)
	clock := &sleeper{}
	watch := hearing(t, context.Background(), s.client(t, usherd.WithClock(clock.now)))
	begun := make(chan *played, 1)
	go func() {
		here := <-streams
		_ = here.out.Send(living(allow("1"), silence))
		begun <- here
	}()
	watch.expect(usherd.Decided, true, "1")
	here := <-begun
	clock.sleep(2 * silence)
	here.say(t, &usherv1.AuthorizeResponse{Event: &usherv1.AuthorizeResponse_Checkpoint{Checkpoint: &usherv1.Checkpoint{}}})
	watch.expect(usherd.Unknown, false, "")
	watch.over()
}

func TestAWallClockThatIsPutBackMakesNothingLastLonger(t *testing.T) {
	const silence = time.Second
	_, _, client, clock := holding(t, silence)
	clock.sleep(-time.Hour)
	eventually(t, "it was silent for too long", func() bool { return client.Stats().Silences == 1 })
	expect(t, client, ask("a"), "ALLOW ALLOWED alone")
}

// playingTo is a watch that was told one answer, by a clock that can sleep. Its stream says nothing more.
func playingTo(t *testing.T, silence time.Duration) (*heard, *sleeper) {
	t.Helper()
	s, streams := playing(t)
	clock := &sleeper{}
	watch := hearing(t, context.Background(), s.client(t, usherd.WithClock(clock.now)))
	go func() {
		here := <-streams
		_ = here.out.Send(living(allow("1"), silence))
	}()
	watch.expect(usherd.Decided, true, "1")
	return watch, clock
}

func TestAWatchIsUnknownSoonAfterTheMachineSleptThoughNothingIsSaid(t *testing.T) {
	const silence = time.Hour
	watch, clock := playingTo(t, silence)
	clock.sleep(silence)
	watch.expect(usherd.Unknown, false, "")
	watch.over()
}

func TestWhatIsLeftOfMaxSilenceAfterTheMachineSleptIsNotBegunAnew(t *testing.T) {
	const silence = time.Hour
	watch, clock := playingTo(t, silence)
	clock.sleep(silence - 2*time.Second)
	watch.expect(usherd.Unknown, false, "")
	watch.over()
}
