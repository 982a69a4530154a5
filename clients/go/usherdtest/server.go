package usherdtest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

const (
	usualSilence = 15 * time.Second
	usualLife    = time.Hour
)

// Option is an option of [NewServer].
type Option func(*Server)

// MaxSilence is how long a stream may be silent at most while its decisions hold; it is confirmed three times as often.
// 15 seconds unless given; a millisecond at least.
func MaxSilence(silence time.Duration) Option { return func(s *Server) { s.silence = silence } }

// Server is a fake usherd. Its methods may be called at any time, by any goroutine.
type Server struct {
	tb      testing.TB
	network *bufconn.Listener
	silence time.Duration
	models  []string

	mu      sync.Mutex
	tokens  map[string]Answer
	revoked map[string]bool
	rule    func(usherd.Question) Answer
	asked   []usherd.Question
	made    int
	mute    bool
	streams map[*stream]struct{}
}

// NewServer starts a server, and ends it with the test.
func NewServer(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	s := &Server{
		tb:      tb,
		network: bufconn.Listen(1 << 20),
		silence: usualSilence,
		tokens:  map[string]Answer{},
		revoked: map[string]bool{},
		rule:    func(usherd.Question) Answer { return Deny("NOT_ENTITLED") },
		streams: map[*stream]struct{}{},
	}
	for _, option := range options {
		option(s)
	}
	if s.silence < time.Millisecond {
		tb.Fatal("usherdtest: MaxSilence: expected a millisecond at least")
	}
	server := grpc.NewServer()
	usherv1.RegisterAuthorizationServiceServer(server, &service{server: s})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(s.network)
	}()
	tb.Cleanup(func() {
		server.Stop()
		<-served
	})
	return s
}

// Client is a new client of this server; it is closed with the test.
func (s *Server) Client(options ...usherd.Option) *usherd.Client {
	s.tb.Helper()
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return s.network.DialContext(ctx) }
	client, err := usherd.New(
		"passthrough:///usherdtest", append([]usherd.Option{usherd.WithDialer(dial), usherd.WithPlaintext()}, options...)...,
	)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = client.Close() })
	return client
}

// Set says what every question with that token is answered. Whoever holds another answer is told.
func (s *Server) Set(token string, answer Answer) {
	s.change(func() { s.tokens[token] = answer })
}

// Answer says what questions are answered whose token has no answer of its own. Whoever holds another answer is told. The
// function may be called at any time, and must not call the server.
func (s *Server) Answer(rule func(usherd.Question) Answer) {
	s.change(func() { s.rule = rule })
}

// Revoke ends every decision about a token for good: TOKEN_REVOKED.
func (s *Server) Revoke(token string) {
	s.change(func() { s.revoked[token] = true })
}

// Break ends all streams as a server does that is lost: what they told is unknown.
func (s *Server) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for each := range s.streams {
		each.fail(status.Error(codes.Unavailable, "broken"))
	}
}

// Mute has the streams say nothing any more, as a server that hangs; false lets them speak again.
func (s *Server) Mute(mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = mute
}

// Asked are the questions that were asked so far, in their order. What a client answers from memory is not among them.
func (s *Server) Asked() []usherd.Question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]usherd.Question(nil), s.asked...)
}

// change makes a change, and tells those who hold another answer than they would get now.
func (s *Server) change(made func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made()
	for each := range s.streams {
		each.lookAgain()
	}
}

// answer is what is answered to that question now.
func (s *Server) answer(question *usherv1.Question) Answer {
	if s.revoked[question.GetToken()] {
		return Deny("TOKEN_REVOKED")
	}
	if set, ok := s.tokens[question.GetToken()]; ok {
		return set
	}
	return s.rule(questionOf(question))
}

// decision is one of its own.
func (s *Server) decision(answer Answer, question *usherv1.Question) *usherv1.Decision {
	s.made++
	made := proto.CloneOf(answer.decision)
	made.DecisionId = fmt.Sprintf("decision-%d", s.made)
	if made.ValidUntil == nil {
		made.ValidUntil = timestamppb.New(time.Now().Add(usualLife))
	}
	if made.ResolvedModel == "" && made.GetEffect() == usherv1.Effect_EFFECT_ALLOW {
		made.ResolvedModel = question.GetModel()
	}
	return made
}

func questionOf(wire *usherv1.Question) usherd.Question {
	question := usherd.Question{
		Token: wire.GetToken(), Route: wire.GetRoute(), Method: wire.GetMethod(), Model: wire.Model,
		FallbackModels: wire.GetFallbackModels(), EndUserID: wire.GetEndUserId(),
		OrganizationID: wire.GetOrganizationId(), ModifiesGuardrails: wire.GetModifiesGuardrails(),
	}
	switch wish := wire.GetTeamWish().(type) {
	case *usherv1.Question_TeamId:
		question.TeamID = &wish.TeamId
	case *usherv1.Question_TeamAlias:
		question.TeamAlias = &wish.TeamAlias
	}
	return question
}
