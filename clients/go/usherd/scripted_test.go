package usherd_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

const chat = "/v1/chat/completions"

// scripted is a real gRPC server that says what a test wants it to say.
type scripted struct {
	usherv1.UnimplementedAuthorizationServiceServer

	target    string
	authorize func(*usherv1.AuthorizeRequest, grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error
	list      func(*usherv1.ListModelsRequest) (*usherv1.ListModelsResponse, error)
	batch     func(context.Context, *usherv1.BatchCheckRequest) (*usherv1.BatchCheckResponse, error)
	// alone are the questions that came by Authorize.
	alone atomic.Int64
	// streams has each stream of Subscribe, as it is opened.
	streams chan *stream
}

func newScripted(t testing.TB, options ...grpc.ServerOption) *scripted {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{target: listener.Addr().String(), authorize: alwaysAllow, streams: make(chan *stream, 16)}
	server := grpc.NewServer(append(options, grpc.MaxRecvMsgSize(256<<10))...)
	usherv1.RegisterAuthorizationServiceServer(server, s)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return s
}

func alwaysAllow(_ *usherv1.AuthorizeRequest, out grpc.ServerStreamingServer[usherv1.AuthorizeResponse]) error {
	return out.Send(answer(allow("alone")))
}

func (s *scripted) Authorize(
	request *usherv1.AuthorizeRequest, out grpc.ServerStreamingServer[usherv1.AuthorizeResponse],
) error {
	s.alone.Add(1)
	return s.authorize(request, out)
}

func (s *scripted) ListModels(
	ctx context.Context, request *usherv1.ListModelsRequest,
) (*usherv1.ListModelsResponse, error) {
	if s.list == nil {
		return s.UnimplementedAuthorizationServiceServer.ListModels(ctx, request)
	}
	return s.list(request)
}

func (s *scripted) BatchCheck(
	ctx context.Context, request *usherv1.BatchCheckRequest,
) (*usherv1.BatchCheckResponse, error) {
	if s.batch == nil {
		return s.UnimplementedAuthorizationServiceServer.BatchCheck(ctx, request)
	}
	return s.batch(ctx, request)
}

// stream is one stream of Subscribe, as a test holds it.
type stream struct {
	t     testing.TB
	asked chan *usherv1.SubscribeRequest
	out   chan *usherv1.SubscribeResponse
	end   chan error
	gone  <-chan struct{}
}

func (s *scripted) Subscribe(
	call grpc.BidiStreamingServer[usherv1.SubscribeRequest, usherv1.SubscribeResponse],
) error {
	here := &stream{
		asked: make(chan *usherv1.SubscribeRequest, 20_000), out: make(chan *usherv1.SubscribeResponse, 20_000),
		end: make(chan error, 1), gone: call.Context().Done(),
	}
	go func() {
		for {
			request, err := call.Recv()
			if err != nil {
				return
			}
			here.asked <- request
		}
	}()
	s.streams <- here
	for {
		select {
		case message := <-here.out:
			if err := call.Send(message); err != nil {
				return err
			}
		case err := <-here.end:
			return err
		case <-call.Context().Done():
			return call.Context().Err()
		}
	}
}

// next is the next stream that is opened.
func (s *scripted) next(t testing.TB) *stream {
	t.Helper()
	select {
	case opened := <-s.streams:
		opened.t = t
		return opened
	case <-time.After(5 * time.Second):
		t.Fatal("no stream was opened")
		return nil
	}
}

// request is the next message of the client.
func (s *stream) request() *usherv1.SubscribeRequest {
	s.t.Helper()
	select {
	case request := <-s.asked:
		return request
	case <-time.After(5 * time.Second):
		s.t.Fatal("nothing was sent on the stream")
		return nil
	}
}

// added is the number of the next question that is added, alone in its message.
func (s *stream) added() uint64 {
	s.t.Helper()
	request := s.request()
	if len(request.GetAdd()) != 1 || len(request.GetRemove()) != 0 {
		s.t.Fatalf("expected one addition: %d added, removed %v", len(request.GetAdd()), request.GetRemove())
	}
	return request.GetAdd()[0].GetId()
}

// removed is the number of the next subscription that is removed, alone in its message.
func (s *stream) removed() uint64 {
	s.t.Helper()
	request := s.request()
	if len(request.GetAdd()) != 0 || len(request.GetRemove()) != 1 {
		s.t.Fatalf("expected one removal: %d added, removed %v", len(request.GetAdd()), request.GetRemove())
	}
	return request.GetRemove()[0]
}

func (s *stream) say(message *usherv1.SubscribeResponse) { s.out <- message }

// decide says a first decision.
func (s *stream) decide(id uint64, decision *usherv1.Decision) { s.say(decided(id, decision)) }

func decided(id uint64, decision *usherv1.Decision) *usherv1.SubscribeResponse {
	return &usherv1.SubscribeResponse{
		Id: id, DecisionId: decision.GetDecisionId(), Event: &usherv1.SubscribeResponse_Decision{Decision: decision},
	}
}

// begin says a checkpoint with how the stream is served.
func (s *stream) begin(silence time.Duration) {
	message := checkpoint()
	message.Terms = watchTerms(silence)
	s.say(message)
}

func checkpoint() *usherv1.SubscribeResponse {
	return &usherv1.SubscribeResponse{Event: &usherv1.SubscribeResponse_Checkpoint{Checkpoint: &usherv1.Checkpoint{}}}
}

func watchTerms(silence time.Duration) *usherv1.StreamTerms {
	return &usherv1.StreamTerms{Mode: usherv1.Mode_MODE_WATCH, MaxSilence: durationpb.New(silence)}
}

func allow(id string) *usherv1.Decision {
	return &usherv1.Decision{
		Effect: usherv1.Effect_EFFECT_ALLOW, Reason: usherv1.Reason_REASON_ALLOWED, HttpStatus: 200, DecisionId: id,
		Principal: &usherv1.Principal{Kind: usherv1.PrincipalKind_PRINCIPAL_KIND_USER, Subject: "secret-subject"},
		Cacheable: true, ValidUntil: timestamppb.New(time.Now().Add(time.Hour)),
	}
}

func deny(id string, reason usherv1.Reason) *usherv1.Decision {
	return &usherv1.Decision{
		Effect: usherv1.Effect_EFFECT_DENY, Reason: reason, HttpStatus: 403, DecisionId: id, Message: "No.",
		Cacheable: true, ValidUntil: timestamppb.New(time.Now().Add(time.Hour)),
	}
}

// answer is the only message of a stream of Authorize in MODE_ONCE.
func answer(decision *usherv1.Decision) *usherv1.AuthorizeResponse {
	return &usherv1.AuthorizeResponse{
		Event: &usherv1.AuthorizeResponse_Decision{Decision: decision},
		Terms: &usherv1.StreamTerms{Mode: usherv1.Mode_MODE_ONCE},
	}
}

func (s *scripted) client(t testing.TB, options ...usherd.Option) *usherd.Client {
	t.Helper()
	// A machine that is busy with other things is not what is tested.
	client, err := usherd.New(s.target, append([]usherd.Option{usherd.WithTimeout(10 * time.Second)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func ask(token string) usherd.Question {
	model := "gpt-4o"
	return usherd.Question{Token: token, Route: chat, Method: "POST", Model: &model}
}
