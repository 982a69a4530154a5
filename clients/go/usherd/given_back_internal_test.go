package usherd

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

type (
	serves     func(out grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error
	givingBack struct {
		usherv1.UnimplementedAuthorizationServiceServer
		serve serves
		asked atomic.Int64
	}
)

func (g *givingBack) Authorize(
	_ *usherv1.AuthorizeRequest, out grpc.ServerStreamingServer[usherv1.AuthorizeResponse],
) error {
	g.asked.Add(1)
	return g.serve(out)
}

func serving(t *testing.T, serve serves) (*Client, *givingBack) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, served := grpc.NewServer(), &givingBack{serve: serve}
	usherv1.RegisterAuthorizationServiceServer(server, served)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	client, err := New(listener.Addr().String(), WithTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, served
}

// begins says a first decision that lives for a while after the last message.
func begins(out grpc.ServerStreamingServer[usherv1.AuthorizeResponse], silence time.Duration) error {
	return out.Send(&usherv1.AuthorizeResponse{
		Event: &usherv1.AuthorizeResponse_Decision{Decision: &usherv1.Decision{
			Effect: usherv1.Effect_EFFECT_ALLOW, Reason: usherv1.Reason_REASON_ALLOWED, HttpStatus: 200, DecisionId: "1",
			Principal:  &usherv1.Principal{Kind: usherv1.PrincipalKind_PRINCIPAL_KIND_USER, Subject: "s"},
			ValidUntil: timestamppb.New(time.Now().Add(time.Hour)),
		}},
		Terms: &usherv1.StreamTerms{Mode: usherv1.Mode_MODE_WATCH, MaxSilence: durationpb.New(silence)},
	})
}

func ends(out grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error {
	return out.Send(&usherv1.AuthorizeResponse{Event: &usherv1.AuthorizeResponse_Ended{Ended: &usherv1.Ended{
		Decision: &usherv1.Decision{
			Effect: usherv1.Effect_EFFECT_DENY, Reason: usherv1.Reason_REASON_TOKEN_REVOKED, HttpStatus: 401, DecisionId: "2",
		},
		Cause: usherv1.Cause_CAUSE_TOKEN_REVOKED,
	}}})
}

func TestHoweverACallEndsItsPlaceIsGivenBack(t *testing.T) {
	for name, each := range map[string]struct {
		serve serves
		last  EventKind // 0: a fault
	}{
		"refused at once": {func(grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error {
			return status.Error(codes.PermissionDenied, "")
		}, 0},
		"nothing said": {func(grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error { return nil }, 0},
		"ended for good": {func(out grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error {
			if err := begins(out, time.Minute); err != nil {
				return err
			}
			return ends(out)
		}, Ended},
		"silent": {func(out grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error {
			if err := begins(out, 200*time.Millisecond); err != nil {
				return err
			}
			<-out.Context().Done()
			return nil
		}, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := serving(t, each.serve)
			var last EventKind
			for event, err := range client.Watch(context.Background(), Question{Token: "a", Route: "/r"}) {
				if last = event.Kind; err != nil {
					last = 0
				}
			}
			if got := client.watches.counts(); last != each.last || !slices.Equal(got, []int{0}) {
				t.Errorf("the last was %v, and the calls are %v", last, got)
			}
		})
	}
}

func TestWhoeverStopsAWatchGivesItsPlaceBack(t *testing.T) {
	client, _ := serving(t, func(out grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error {
		if err := begins(out, time.Minute); err != nil {
			return err
		}
		<-out.Context().Done()
		return nil
	})
	for name, stop := range map[string]func(cancel context.CancelFunc) (breaks bool){
		"leaving the loop":   func(context.CancelFunc) bool { return true },
		"ending the context": func(cancel context.CancelFunc) bool { cancel(); return false },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		for event := range client.Watch(ctx, Question{Token: "a", Route: "/r"}) {
			if event.Kind == Decided && !slices.Equal(client.watches.counts(), []int{1}) {
				t.Errorf("%s: meanwhile %v", name, client.watches.counts())
			}
			if event.Kind == Decided && stop(cancel) {
				break
			}
		}
		cancel()
		if got := client.watches.counts(); !slices.Equal(got, []int{0}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAWatchThatAsksAgainAndAgainHasOnePlace(t *testing.T) {
	const often = 8
	var most atomic.Int64
	var client *Client
	client, served := serving(t, func(out grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error {
		for number, calls := range client.watches.counts() {
			most.Store(max(most.Load(), int64(number*mostWatches+calls)))
		}
		return begins(out, time.Minute) // and is lost
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for end := time.Now().Add(30 * time.Second); served.asked.Load() < often && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	for range client.Watch(ctx, Question{Token: "a", Route: "/r"}) {
	}
	if asked := served.asked.Load(); asked < often || most.Load() != 1 {
		t.Errorf("asked %d times, with %d calls", asked, most.Load())
	}
	if got := client.watches.counts(); !slices.Equal(got, []int{0}) {
		t.Errorf("%v", got)
	}
}
