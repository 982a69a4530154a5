package usherd

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

// counted are places whose connections a test sees. None of them connects.
type counted struct {
	places
	t      *testing.T
	opened []*grpc.ClientConn
}

func counting(t *testing.T) *counted {
	t.Helper()
	c := &counted{t: t}
	c.open = func() (*grpc.ClientConn, error) {
		connection, err := grpc.NewClient("127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err == nil {
			c.opened = append(c.opened, connection)
		}
		return connection, err
	}
	t.Cleanup(c.close)
	return c
}

func (c *counted) takeMany(many int) []*place {
	c.t.Helper()
	var taken []*place
	for range many {
		each, fault := c.take()
		if fault != nil {
			c.t.Fatal(fault)
		}
		taken = append(taken, each)
	}
	return taken
}

// counts are the calls on each connection, the oldest first.
func (p *places) counts() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := []int{}
	for _, each := range p.all {
		counts = append(counts, each.calls)
	}
	return counts
}

func (c *counted) expect(calls ...int) {
	c.t.Helper()
	if got := c.counts(); !slices.Equal(got, calls) {
		c.t.Errorf("got %v, want %v", got, calls)
	}
}

// stillOpen is how many connections were not closed.
func (c *counted) stillOpen() int {
	many := 0
	for _, each := range c.opened {
		if each.GetState() != connectivity.Shutdown {
			many++
		}
	}
	return many
}

func TestAWatchGoesWhereThereIsRoomAndOpensAConnectionOnlyWhereThereIsNone(t *testing.T) {
	c := counting(t)
	full := c.takeMany(mostWatches)
	c.expect(mostWatches)
	c.takeMany(1)
	c.expect(mostWatches, 1)
	c.leave(full[7])
	if again := c.takeMany(1)[0]; again != full[0] {
		t.Error("it is not on the first that has room")
	}
	c.expect(mostWatches, 1)
	if len(c.opened) != 2 {
		t.Errorf("%d connections", len(c.opened))
	}
}

func TestOneConnectionThatNobodyWatchesOnIsKeptAndNoMore(t *testing.T) {
	c := counting(t)
	for _, each := range c.takeMany(3 * mostWatches) {
		c.leave(each)
	}
	c.expect(0)
	if c.stillOpen() != 1 {
		t.Errorf("%d connections are open", c.stillOpen())
	}
}

func TestBetweenFullAndOneMoreNoConnectionComesAndGoes(t *testing.T) {
	c := counting(t)
	c.takeMany(mostWatches)
	for range 5 {
		c.leave(c.takeMany(1)[0])
	}
	c.expect(mostWatches, 0)
	if len(c.opened) != 2 {
		t.Errorf("%d connections were opened", len(c.opened))
	}
}

func TestAWatchThatEndsAfterTheClientWasClosedClosesNothingTwice(t *testing.T) {
	c := counting(t)
	taken := c.takeMany(mostWatches + 1)
	c.close()
	for _, each := range taken {
		c.leave(each)
	}
	if c.stillOpen() != 0 {
		t.Errorf("%d connections are open", c.stillOpen())
	}
	if _, fault := c.take(); fault == nil || fault.Kind != Closed {
		t.Errorf("got %v", fault)
	}
	c.expect()
}

func TestAConnectionThatCannotBeOpenedTakesNoPlace(t *testing.T) {
	c := counting(t)
	open := c.open
	c.open = func() (*grpc.ClientConn, error) { return nil, errors.New("") }
	if _, fault := c.take(); fault == nil || fault.Kind != Internal {
		t.Errorf("got %v", fault)
	}
	c.expect()
	c.open = open
	c.leave(c.takeMany(1)[0])
	c.expect(0)
}

func TestPlacesAreTakenAndLeftAtOnceByMany(t *testing.T) {
	c := counting(t)
	var all sync.WaitGroup
	for range 200 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 50 {
				on, fault := c.take()
				if fault != nil {
					t.Error(fault)
					return
				}
				if on.connection.GetState() == connectivity.Shutdown {
					t.Error("a watch is on a connection that is closed")
				}
				c.leave(on)
			}
		}()
	}
	all.Wait()
	c.expect(0)
	if c.stillOpen() != 1 {
		t.Errorf("%d connections are open", c.stillOpen())
	}
}
