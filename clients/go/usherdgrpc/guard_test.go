package usherdgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdgrpc"
	"github.com/usherd/usherd/clients/go/usherdtest"
)

const method = "/grpc.health.v1.Health/Check"

// backend is a service that is guarded: it watches until its context ends, and writes on afterwards.
type backend struct {
	grpc_health_v1.UnimplementedHealthServer
	ended chan error
	waits func(stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse])
}

func (b *backend) Check(
	ctx context.Context, _ *grpc_health_v1.HealthCheckRequest,
) (*grpc_health_v1.HealthCheckResponse, error) {
	if decision, known := usherdgrpc.Decision(ctx); !known || !decision.Allowed() {
		return nil, status.Error(codes.Internal, "no decision")
	}
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

func (b *backend) Watch(
	_ *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse],
) error {
	if err := stream.Send(&grpc_health_v1.HealthCheckResponse{}); err != nil {
		return err
	}
	b.waits(stream)
	b.ended <- context.Cause(stream.Context())
	return stream.Send(&grpc_health_v1.HealthCheckResponse{})
}

// guarded is a real gRPC server behind the interceptors, and the fake usherd that it asks.
func guarded(t *testing.T, options ...usherdgrpc.Option) (*usherdtest.Server, *backend, grpc_health_v1.HealthClient) {
	t.Helper()
	usher := usherdtest.NewServer(t)
	guard := usherdgrpc.New(usher.Client(usherd.WithCache(100), usherd.WithTimeout(10*time.Second)), options...)
	server := grpc.NewServer(grpc.UnaryInterceptor(guard.Unary), grpc.StreamInterceptor(guard.Stream))
	b := &backend{ended: make(chan error, 1)}
	b.waits = func(stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) { <-stream.Context().Done() }
	grpc_health_v1.RegisterHealthServer(server, b)
	connection := serving(t, server)
	return usher, b, grpc_health_v1.NewHealthClient(connection)
}

func bearer(token string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
}

func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "usher.v1" {
			return info.GetReason()
		}
	}
	return ""
}

func TestACallPassesOnlyIfItIsAllowed(t *testing.T) {
	usher, _, client := guarded(t)
	usher.Set("good", usherdtest.Allow())
	usher.Set("old", usherdtest.Deny("TOKEN_EXPIRED"))
	usher.Set("spent", usherdtest.Deny("TEAM_BUDGET_EXHAUSTED"))
	usher.Set("broken", usherdtest.Fault(codes.Internal, "INTERNAL"))
	for _, each := range []struct {
		token  string
		code   codes.Code
		reason string
	}{
		{"good", codes.OK, ""},
		{"nobody", codes.PermissionDenied, "NOT_ENTITLED"},
		{"old", codes.Unauthenticated, "TOKEN_EXPIRED"},
		{"spent", codes.ResourceExhausted, "TEAM_BUDGET_EXHAUSTED"},
		{"broken", codes.Unavailable, ""},
	} {
		_, err := client.Check(bearer(each.token), &grpc_health_v1.HealthCheckRequest{})
		if status.Code(err) != each.code || reasonOf(err) != each.reason {
			t.Errorf("%s: %v %s", each.token, err, reasonOf(err))
		}
		if each.token == "good" {
			continue
		}
		stream, err := client.Watch(bearer(each.token), &grpc_health_v1.HealthCheckRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != each.code || reasonOf(err) != each.reason {
			t.Errorf("%s, streamed: %v %s", each.token, err, reasonOf(err))
		}
	}
	two := metadata.AppendToOutgoingContext(bearer("good"), "x-api-key", "other")
	if _, err := client.Check(two, &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("two credentials: %v", err)
	}
	if question := usher.Asked()[0]; question.Route != method || question.Method != "POST" || question.Token != "good" {
		t.Errorf("it asked for %s %s", question.Method, question.Route)
	}
}

func TestARequestMayAddToItsQuestionAndSomePassUnasked(t *testing.T) {
	add := func(_ context.Context, _ string, request any, question *usherd.Question) {
		model := request.(*grpc_health_v1.HealthCheckRequest).GetService()
		question.Model = &model
	}
	usher, _, client := guarded(t, usherdgrpc.Asking(add))
	usher.Set("good", usherdtest.Allow())
	if _, err := client.Check(bearer("good"), &grpc_health_v1.HealthCheckRequest{Service: "gpt-4o"}); err != nil {
		t.Fatal(err)
	}
	if question := usher.Asked()[0]; question.Model == nil || *question.Model != "gpt-4o" {
		t.Error("the model was not asked for")
	}
	usher, _, client = guarded(t, usherdgrpc.Passing(func(name string) bool { return name == method }))
	if _, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{}); reasonOf(err) != "" {
		t.Errorf("it was asked about: %v", err)
	}
	if len(usher.Asked()) != 0 {
		t.Error("it was asked about")
	}
}

func TestEveryFaultIsNotedAndNoDenial(t *testing.T) {
	noted := make(chan string, 10)
	usher, _, client := guarded(t, usherdgrpc.Noting(func(_ context.Context, method string, err error) {
		noted <- method + " " + err.Error()
	}))
	usher.Set("down", usherdtest.Fault(codes.FailedPrecondition, "KEYS_UNAVAILABLE"))
	for _, token := range []string{"nobody", "down"} {
		if _, err := client.Check(bearer(token), &grpc_health_v1.HealthCheckRequest{}); err == nil {
			t.Errorf("%s was let pass", token)
		}
	}
	stream, err := client.Watch(bearer("down"), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	for _, want := range []string{method, "/grpc.health.v1.Health/Watch"} {
		want += " usherd: the request does not fit the server's state (KEYS_UNAVAILABLE)"
		if got := <-noted; got != want {
			t.Errorf("got %q", got)
		}
	}
	if len(noted) != 0 {
		t.Error("a denial was noted")
	}
}

func TestARevocationEndsAStream(t *testing.T) {
	for name, waits := range map[string]func(grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]){
		"a handler that hears of it": func(stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) {
			<-stream.Context().Done()
		},
		"a handler that writes": func(stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) {
			for stream.Send(&grpc_health_v1.HealthCheckResponse{}) == nil {
				time.Sleep(time.Millisecond)
			}
		},
		"a handler whose reader does not read": func(stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) {
			for stream.Send(&grpc_health_v1.HealthCheckResponse{}) == nil {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			usher, b, client := guarded(t)
			b.waits = waits
			usher.Set("good", usherdtest.Allow())
			stream, err := client.Watch(bearer("good"), &grpc_health_v1.HealthCheckRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			usher.Revoke("good")
			select {
			case cause := <-b.ended:
				if !errors.Is(cause, usherdgrpc.ErrCut) {
					t.Errorf("the handler: %v", cause)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("the handler goes on")
			}
			for err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != codes.Unauthenticated || reasonOf(err) != "TOKEN_REVOKED" {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// listening is a service that waits for its client's messages.
type listening struct {
	usherv1.UnimplementedAuthorizationServiceServer
	ended chan error
}

func (l *listening) Subscribe(stream grpc.BidiStreamingServer[usherv1.SubscribeRequest, usherv1.SubscribeResponse]) error {
	for {
		if _, err := stream.Recv(); err != nil {
			l.ended <- err
			return nil // as one that takes it for the end
		}
	}
}

func TestARevocationEndsAStreamOnWhichNobodySpeaks(t *testing.T) {
	usher := usherdtest.NewServer(t)
	usher.Set("good", usherdtest.Allow())
	guard := usherdgrpc.New(usher.Client(usherd.WithTimeout(10 * time.Second)))
	server := grpc.NewServer(grpc.StreamInterceptor(guard.Stream))
	service := &listening{ended: make(chan error, 1)}
	usherv1.RegisterAuthorizationServiceServer(server, service)
	connection := serving(t, server)
	stream, err := usherv1.NewAuthorizationServiceClient(connection).Subscribe(bearer("good"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&usherv1.SubscribeRequest{}); err != nil {
		t.Fatal(err)
	}
	for len(usher.Asked()) == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	usher.Revoke("good")
	if _, err := stream.Recv(); reasonOf(err) != "TOKEN_REVOKED" {
		t.Errorf("it ended with %v", err)
	}
	if err := <-service.ended; reasonOf(err) != "TOKEN_REVOKED" {
		t.Errorf("the handler: %v", err)
	}
}

func serving(t *testing.T, server *grpc.Server) *grpc.ClientConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			fmt.Printf("goroutines are left over\n%s\n", stacks[:runtime.Stack(stacks, true)])
			code = 1
			break
		}
	}
	os.Exit(code)
}
