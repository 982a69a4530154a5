package usherd_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

func TestEveryCallHasADeadline(t *testing.T) {
	s := newScripted(t)
	deadlines := make(chan time.Duration, 1)
	s.authorize = func(_ *usherv1.AuthorizeRequest, out authorizeStream) error {
		until, _ := out.Context().Deadline()
		deadlines <- time.Until(until)
		return out.Send(answer(allow("a")))
	}
	within := func(client *usherd.Client, ctx context.Context, least, most time.Duration, options ...usherd.CallOption) {
		t.Helper()
		if _, err := client.Authorize(ctx, ask("a"), options...); err != nil {
			t.Fatal(err)
		}
		if got := <-deadlines; got < least || got > most {
			t.Errorf("a deadline of %v", got)
		}
	}
	far, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	near, cancelNear := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancelNear()
	client, err := usherd.New(s.target)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	within(client, context.Background(), 100*time.Millisecond, time.Second)
	within(client, far, 100*time.Millisecond, time.Second)
	within(client, near, 10*time.Millisecond, 500*time.Millisecond)
	within(client, far, 2*time.Second, 3*time.Second, usherd.Timeout(3*time.Second))
	within(s.client(t, usherd.WithTimeout(time.Minute)), far, 30*time.Second, time.Minute)
	for _, wrong := range []time.Duration{0, -1, time.Minute + 1} {
		if _, err := client.Authorize(far, ask("a"), usherd.Timeout(wrong)); kindOf(err) != usherd.InvalidRequest {
			t.Errorf("%v: %v", wrong, err)
		}
		if _, err := usherd.New(s.target, usherd.WithTimeout(wrong)); err == nil {
			t.Errorf("%v was taken", wrong)
		}
	}
}

func TestAServerThatIsUnavailableIsAskedThreeTimes(t *testing.T) {
	s := newScripted(t)
	s.authorize = func(*usherv1.AuthorizeRequest, authorizeStream) error { return status.Error(codes.Unavailable, "") }
	if got := get(t, later(s.client(t), ask("a"))); kindOf(got.err) != usherd.Unavailable {
		t.Errorf("got %v", got)
	}
	if asked := s.alone.Load(); asked != 3 {
		t.Errorf("it was asked %d times", asked)
	}
	s.alone.Store(0)
	s.authorize = func(*usherv1.AuthorizeRequest, authorizeStream) error {
		return status.Error(codes.ResourceExhausted, "")
	}
	if got := get(t, later(s.client(t), ask("a"))); kindOf(got.err) != usherd.Overloaded || s.alone.Load() != 1 {
		t.Errorf("got %v after %d", got, s.alone.Load())
	}
}

func TestWhoeverCancelsIsToldSo(t *testing.T) {
	s := newScripted(t)
	s.authorize = func(_ *usherv1.AuthorizeRequest, out authorizeStream) error {
		<-out.Context().Done()
		return out.Context().Err()
	}
	client := s.client(t, usherd.WithTimeout(200*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := client.Authorize(ctx, ask("a")); !errors.Is(err, context.Canceled) || kindOf(err) != usherd.Canceled {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := client.Authorize(context.Background(), ask("a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("out of time: %v", err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Authorize(context.Background(), ask("a")); kindOf(err) != usherd.Closed {
		t.Errorf("closed: %v", err)
	}
}

func TestPlaintextIsRefusedOffThisMachine(t *testing.T) {
	for _, here := range []string{
		"localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "dns:///localhost:1", "dns:localhost:1",
		"unix:/run/usherd.sock", "unix:///run/usherd.sock", "unix-abstract:usherd", "passthrough:///127.0.0.1:1",
	} {
		client, err := usherd.New(here)
		if err != nil {
			t.Errorf("%s: %v", here, err)
			continue
		}
		_ = client.Close()
	}
	for _, away := range []string{
		"", "usherd:50051", "10.0.0.1:1", "0.0.0.0:1", "[::]:1", "localhost.example:1", "dns:///usherd.example:443",
		"dns://127.0.0.1/usherd.example:443", "dns://8.8.8.8/localhost:1", "127.0.0.1.example:1", "localhost@example:1",
		"xds:///localhost:1", "127.0.0.1:1,10.0.0.1:1", "2130706433:1", "passthrough:///usherd:1", "localhost#example:1",
	} {
		if client, err := usherd.New(away); err == nil {
			t.Errorf("%q was taken", away)
			_ = client.Close()
		}
	}
	dial := usherd.WithDialer(func(context.Context, string) (net.Conn, error) { return nil, errors.New("nowhere") })
	if _, err := usherd.New("localhost:1", dial); err == nil {
		t.Error("a dialer was believed to stay on this machine")
	}
	if _, err := usherd.New("usherd.example:1", usherd.WithTransportCredentials(insecure.NewCredentials())); err == nil {
		t.Error("credentials that encrypt nothing were taken for some that do")
	}
	client, err := usherd.New("usherd.example:50051", usherd.WithPlaintext())
	if err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
}

func TestATargetThatCannotBeMeantIsRefusedWithItsMend(t *testing.T) {
	for target, mend := range map[string]string{
		"":                       `expected a gRPC target, such as "localhost:50051"`,
		"http://localhost:50051": "without http://",
		"HTTPS://usherd.example": "without https://",
		"grpc://localhost:50051": "without grpc://",
		"localhost":              "expected a port",
		"127.0.0.1":              "expected a port",
		"[::1]":                  "expected a port",
		"dns:///localhost":       "expected a port",
		"usherd:50051":           "WithTLS or WithPlaintext",
	} {
		client, err := usherd.New(target)
		if err == nil {
			_ = client.Close()
		}
		if err == nil || !strings.Contains(err.Error(), mend) {
			t.Errorf("%q: %v", target, err)
		}
	}
	// Over TLS there is a usual port.
	client, err := usherd.New("usherd.example", usherd.WithTLS(nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
}

func TestTheGatewayShowsItsOwnCredentialAndNotItsCallers(t *testing.T) {
	s := newScripted(t)
	shown := make(chan []string, 1)
	s.authorize = func(_ *usherv1.AuthorizeRequest, out authorizeStream) error {
		sent, _ := metadata.FromIncomingContext(out.Context())
		shown <- sent.Get("authorization")
		return out.Send(answer(allow("a")))
	}
	client := s.client(t, usherd.WithBearer("gateway-key"))
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer user")
	if _, err := client.Authorize(ctx, ask("a")); err != nil {
		t.Fatal(err)
	}
	if got := <-shown; len(got) != 1 || got[0] != "Bearer gateway-key" {
		t.Errorf("it showed %v", got)
	}
	if _, err := s.client(t).Authorize(ctx, ask("a")); err != nil {
		t.Fatal(err)
	}
	if got := <-shown; len(got) != 0 {
		t.Errorf("it showed %v", got)
	}
	if sent, _ := metadata.FromOutgoingContext(ctx); len(sent.Get("authorization")) != 1 {
		t.Error("the context of the gateway was changed")
	}
	bad := s.client(t, usherd.WithBearerFunc(func() string { return "two words" }))
	if _, err := bad.Authorize(context.Background(), ask("a")); kindOf(err) != usherd.InvalidRequest {
		t.Errorf("what cannot be sent: %v", err)
	}
	if _, err := usherd.New(s.target, usherd.WithBearer("secret key\n")); err == nil ||
		strings.Contains(err.Error(), "secret") {
		t.Errorf("what cannot be sent: %v", err)
	}
}

func TestAServerThatIsBackIsFoundSoon(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := listener.Addr().String()
	_ = listener.Close()
	client, err := usherd.New(target)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	// It is away for long enough for waits to grow.
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := client.Authorize(context.Background(), ask("a")); kindOf(err) != usherd.Unavailable {
			t.Fatalf("got %v", err)
		}
	}
	if listener, err = net.Listen("tcp", target); err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	usherv1.RegisterAuthorizationServiceServer(server, &scripted{authorize: alwaysAllow})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	back := time.Now()
	for {
		if _, err = client.Authorize(context.Background(), ask("a")); err == nil {
			break
		}
		if time.Since(back) > 6*time.Second {
			t.Fatalf("after %v: %v", time.Since(back), err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
