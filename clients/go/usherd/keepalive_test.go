package usherd_test

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/keepalive"

	"github.com/usherd/usherd/clients/go/internal/lossy"
	"github.com/usherd/usherd/clients/go/usherd"
)

func TestAConnectionWhosePeerIsGoneWithoutAWordIsLeft(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	way := lossy.To(t, s.target)
	client := (&scripted{target: way.Address}).client(t, usherd.WithKeepAlive(
		keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 500 * time.Millisecond},
	))
	expect(t, client, ask("a"), "ALLOW ALLOWED alone")
	way.Lose()
	lost, unanswered := time.Now(), 0
	for {
		decision, err := client.Authorize(context.Background(), ask("a"), usherd.Timeout(500*time.Millisecond))
		if err == nil {
			if !decision.Allowed() {
				t.Errorf("got %v", decision)
			}
			break
		}
		unanswered++
		if time.Since(lost) > 30*time.Second {
			t.Fatalf("it is still asked on the connection that was lost: %v", err)
		}
	}
	if took := time.Since(lost); took < 5*time.Second || unanswered == 0 {
		t.Errorf("after %v and %d questions: nothing was lost", took, unanswered)
	}
}

func TestPingsAreNoMoreThanAServerTakes(t *testing.T) {
	options, err := os.ReadFile("../../../server/usherd/rpc/options.py")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`min_ping_interval_without_data_ms", ([0-9_]+)`).FindSubmatch(options)
	if said == nil {
		t.Fatal("the server does not say how many pings it takes")
	}
	taken, err := strconv.ParseInt(string(said[1]), 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	if each := usherd.RealKeepAlive.Time; each < 2*time.Duration(taken)*time.Millisecond {
		t.Errorf("the server takes a ping each %d ms, and one is sent each %v", taken, each)
	}
	if usherd.RealKeepAlive.PermitWithoutStream {
		t.Error("a connection that nobody asks on is pinged")
	}
}
