package usherdgrpc

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/usherd/usherd/clients/go/gateway"
	"github.com/usherd/usherd/clients/go/internal/watching"
	"github.com/usherd/usherd/clients/go/usherd"
)

// ErrCut is the cause with which the context of a stream ends that may not go on.
var ErrCut = errors.New("usherdgrpc: the stream may not go on")

const (
	domain     = "usher.v1"
	noDecision = "The authorization service gave no decision. Try again."
)

// Guard has the interceptors.
type Guard struct {
	client  usherd.Asker
	reader  gateway.Reader
	passing func(method string) bool
	note    func(ctx context.Context, method string, err error)
	change  func(ctx context.Context, method string, request any, question *usherd.Question)
}

// Option is an option of [New].
type Option func(*Guard)

// Reading says how credentials are read; the zero Reader unless given.
func Reading(reader gateway.Reader) Option { return func(g *Guard) { g.reader = reader } }

// Passing says which methods pass without being asked about, and without a decision: grpc.health.v1, for instance. None,
// unless given.
func Passing(choose func(method string) bool) Option { return func(g *Guard) { g.passing = choose } }

// Noting is told of every fault: of a call about which there was no decision, and of a stream that was cut because nothing
// could be learned about it any more. Who calls is never told why; the text of this error is a constant for each kind and
// reason, and safe to log. Whoever hung up has made no fault. It is called in the way of the call.
func Noting(note func(ctx context.Context, method string, err error)) Option {
	return func(g *Guard) { g.note = note }
}

// Asking adds to the question what the request says, such as its model. Of a stream the request is nil: it is asked about
// before its first message.
func Asking(add func(ctx context.Context, method string, request any, question *usherd.Question)) Option {
	return func(g *Guard) { g.change = add }
}

// New makes the interceptors. The client is a [*usherd.Client], or a fake.
func New(client usherd.Asker, options ...Option) *Guard {
	g := &Guard{
		client:  client,
		passing: func(string) bool { return false },
		note:    func(context.Context, string, error) {},
		change:  func(context.Context, string, any, *usherd.Question) {},
	}
	for _, option := range options {
		option(g)
	}
	return g
}

// Unary is a grpc.UnaryServerInterceptor.
func (g *Guard) Unary(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
) (any, error) {
	if g.passing(info.FullMethod) {
		return next(ctx, request)
	}
	question, err := g.question(ctx, info.FullMethod, request)
	if err != nil {
		return nil, err
	}
	decision, err := g.client.Authorize(ctx, question)
	if err != nil || !decision.Allowed() {
		g.noted(ctx, info.FullMethod, err)
		return nil, ended(decision, err)
	}
	return next(with(ctx, decision), request)
}

// Stream is a grpc.StreamServerInterceptor.
func (g *Guard) Stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if g.passing(info.FullMethod) {
		return next(server, stream)
	}
	question, err := g.question(stream.Context(), info.FullMethod, nil)
	if err != nil {
		return err
	}
	decision, err := g.client.Authorize(stream.Context(), question)
	if err != nil || !decision.Allowed() {
		g.noted(stream.Context(), info.FullMethod, err)
		return ended(decision, err)
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	watched := &watchedStream{ServerStream: stream, ctx: with(ctx, decision)}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		if cut, decision, err := watching.UntilDenied(ctx, g.client, question); cut {
			status := ended(decision, err)
			watched.cut.Store(&status)
			cancel(ErrCut)
			g.noted(stream.Context(), info.FullMethod, err)
		}
	}()
	defer func() {
		// The handler is done, or has panicked: nothing may run on.
		cancel(nil)
		<-heard
	}()
	err = next(server, watched)
	// However the handler took it: what was cut is not taken for whole.
	if cut := watched.cut.Load(); cut != nil {
		return *cut
	}
	return err
}

func (g *Guard) question(ctx context.Context, method string, request any) (usherd.Question, error) {
	sent, _ := metadata.FromIncomingContext(ctx)
	header := http.Header{}
	for name, values := range sent {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	token, _, err := g.reader.Credential(http.MethodPost, header)
	if err != nil {
		return usherd.Question{}, ended(usherd.Decision{}, err)
	}
	question := usherd.Question{Token: token, Route: method, Method: http.MethodPost}
	g.change(ctx, method, request, &question)
	return question, nil
}

func (g *Guard) noted(ctx context.Context, method string, err error) {
	if err != nil && ctx.Err() == nil {
		g.note(ctx, method, err)
	}
}

// ended is the status of a call that may not pass.
func ended(decision usherd.Decision, err error) error {
	var refused *gateway.Refusal
	switch {
	case errors.As(err, &refused) && refused.Why == gateway.OriginNotAllowed:
		return failed(codes.PermissionDenied, "A session cookie acts only on requests from an allowed origin.", "")
	case errors.As(err, &refused):
		return failed(codes.InvalidArgument, "The call carries two different credentials.", "")
	case err != nil || decision == usherd.Decision{}:
		return failed(codes.Unavailable, noDecision, "")
	}
	code := codes.PermissionDenied
	switch decision.HTTPStatus() {
	case http.StatusUnauthorized:
		code = codes.Unauthenticated
	case http.StatusTooManyRequests:
		code = codes.ResourceExhausted
	}
	return failed(code, decision.Message(), decision.Reason())
}

func failed(code codes.Code, message, reason string) error {
	made := status.New(code, message)
	if reason != "" {
		if detailed, err := made.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: domain}); err == nil {
			made = detailed
		}
	}
	return made.Err()
}

type contextKey struct{}

func with(ctx context.Context, decision usherd.Decision) context.Context {
	return context.WithValue(ctx, contextKey{}, decision)
}

// Decision is what let this call pass; false: nobody was asked.
func Decision(ctx context.Context) (usherd.Decision, bool) {
	decision, ok := ctx.Value(contextKey{}).(usherd.Decision)
	return decision, ok
}
