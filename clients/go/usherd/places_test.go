package usherd_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

// crowd is a server that takes as many calls on one connection as usherd, and counts the watches on each.
type crowd struct {
	*scripted
	mu    sync.Mutex
	calls map[string]int
	most  int
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{calls: map[string]int{}}
	c.scripted = newScripted(t, grpc.MaxConcurrentStreams(100))
	c.authorize = func(request *usherv1.AuthorizeRequest, out authorizeStream) error {
		if request.GetMode() != usherv1.Mode_MODE_WATCH {
			return alwaysAllow(request, out)
		}
		from, _ := peer.FromContext(out.Context())
		c.count(from.Addr.String(), 1)
		defer c.count(from.Addr.String(), -1)
		if err := out.Send(living(allow("1"), long)); err != nil {
			return err
		}
		<-out.Context().Done()
		return out.Context().Err()
	}
	return c
}

func (c *crowd) count(from string, more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[from] += more
	c.most = max(c.most, c.calls[from])
}

// watched is on how many connections something was ever watched, and how many calls are under way.
func (c *crowd) watched() (connections, calls, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, each := range c.calls {
		calls += each
	}
	return len(c.calls), calls, c.most
}

// watching begins so many watches, and waits until each has its first decision.
func watching(t *testing.T, client *usherd.Client, many int) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	begun := make(chan bool, many)
	for range many {
		all.Add(1)
		go func() {
			defer all.Done()
			for event, err := range client.Watch(ctx, ask("a"), usherd.Timeout(30*time.Second)) {
				if ctx.Err() == nil {
					begun <- err == nil && event.Allowed()
				}
			}
		}()
	}
	for range many {
		select {
		case ok := <-begun:
			if !ok {
				t.Fatal("a watch has ended")
			}
		case <-time.After(30 * time.Second):
			t.Fatal("a watch has no decision")
		}
	}
	return func() {
		cancel()
		all.Wait()
	}
}

func TestAQuestionDoesNotWaitBehindThoseThatAreWatched(t *testing.T) {
	c := newCrowd(t)
	client := c.client(t)
	end := watching(t, client, 150)
	if _, err := client.Authorize(context.Background(), ask("a"), usherd.Timeout(5*time.Second)); err != nil {
		t.Errorf("a question: %v", err)
	}
	if connections, calls, most := c.watched(); connections != 3 || calls != 150 || most != 64 {
		t.Errorf("%d connections, %d calls, %d on one of them", connections, calls, most)
	}
	end()
	eventually(t, "all watches have ended", func() bool { _, calls, _ := c.watched(); return calls == 0 })
	// One connection is kept, and there is room on it again.
	end = watching(t, client, 64)
	if connections, _, most := c.watched(); connections != 3 || most != 64 {
		t.Errorf("%d connections, %d calls on one of them", connections, most)
	}
	end()
}

func TestNothingIsWatchedByAClientThatIsClosed(t *testing.T) {
	c := newCrowd(t)
	client := c.client(t)
	watch := hearing(t, context.Background(), client)
	watch.expect(usherd.Decided, true, "1")
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	watch.fault(usherd.Closed)
	hearing(t, context.Background(), client).fault(usherd.Closed)
	eventually(t, "the watch has ended", func() bool { _, calls, _ := c.watched(); return calls == 0 })
}
