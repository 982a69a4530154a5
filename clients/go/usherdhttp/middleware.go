package usherdhttp

import (
	"context"
	"net/http"
	"sync"

	"github.com/usherd/usherd/clients/go/gateway"
	"github.com/usherd/usherd/clients/go/internal/watching"
	"github.com/usherd/usherd/clients/go/usherd"
)

// Option is an option of [New].
type Option func(*guard)

// Reading says how requests are read; the zero Reader unless given.
func Reading(reader gateway.Reader) Option { return func(g *guard) { g.reader = reader } }

// Streams says which requests are watched while they are answered, and no others are. Unless given, it is those that ask for
// a streamed answer, websockets, what is answered with a text/event-stream, and what takes more than a second to write.
func Streams(choose func(*http.Request, gateway.Asked) bool) Option {
	return func(g *guard) { g.streams, g.unannounced = choose, false }
}

// Passing says which requests pass without being asked about, and without a decision: health checks of this gateway, for
// instance. None, unless given.
func Passing(choose func(*http.Request) bool) Option { return func(g *guard) { g.passing = choose } }

// Answering answers requests that may not pass, instead of [gateway.For]. A nil error means that it was denied; the
// other errors are a [*gateway.Refusal] and faults.
func Answering(answer func(http.ResponseWriter, *http.Request, usherd.Decision, error)) Option {
	return func(g *guard) { g.answer = answer }
}

// Noting is told of every fault: of a request about which there was no decision, and of a watched one that was cut because
// nothing could be learned about it any more. The end user is never told why; the text of this error is a constant for each
// kind and reason, and safe to log. Whoever hung up has made no fault. It is called in the way of the request.
func Noting(note func(*http.Request, error)) Option { return func(g *guard) { g.note = note } }

// New is the middleware. The client is a [*usherd.Client], or a fake.
func New(client usherd.Asker, options ...Option) func(http.Handler) http.Handler {
	g := &guard{
		client: client,
		streams: func(request *http.Request, asked gateway.Asked) bool {
			return asked.Stream || gateway.IsWebsocket(request.Header)
		},
		unannounced: true,
		passing:     func(*http.Request) bool { return false },
		note:        func(*http.Request, error) {},
		answer: func(w http.ResponseWriter, _ *http.Request, decision usherd.Decision, err error) {
			gateway.For(decision, err).Write(w)
		},
	}
	for _, option := range options {
		option(g)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { g.serve(w, request, next) })
	}
}

type guard struct {
	client  usherd.Asker
	reader  gateway.Reader
	streams func(*http.Request, gateway.Asked) bool
	// unannounced says that an answer is watched once it turns out to be a stream, whatever was asked for.
	unannounced bool
	passing     func(*http.Request) bool
	note        func(*http.Request, error)
	answer      func(http.ResponseWriter, *http.Request, usherd.Decision, error)
}

func (g *guard) serve(w http.ResponseWriter, request *http.Request, next http.Handler) {
	if g.passing(request) {
		next.ServeHTTP(w, request)
		return
	}
	asked, err := g.reader.Read(request)
	if err != nil {
		g.answer(w, request, usherd.Decision{}, err)
		return
	}
	decision, err := g.client.Authorize(request.Context(), asked.Question)
	if err != nil || !decision.Allowed() {
		if err != nil && request.Context().Err() == nil {
			g.note(request, err)
		}
		g.answer(w, request, decision, err)
		return
	}
	if streams := g.streams(request, asked); streams || g.unannounced {
		g.watch(w, request, passed{decision, asked}, next, streams)
		return
	}
	next.ServeHTTP(w, request.WithContext(with(request.Context(), passed{decision, asked})))
}

// watch serves a request for as long as it may go on: it is watched at once, or when its answer turns out to last.
func (g *guard) watch(w http.ResponseWriter, request *http.Request, let passed, next http.Handler, atOnce bool) {
	// A connection that is taken over outlives its request.
	lasting, end := context.WithCancel(context.WithoutCancel(request.Context()))
	keep := context.AfterFunc(request.Context(), end)
	ctx, cancel := context.WithCancelCause(request.Context())
	answer := newWriter(w, keep, end)
	var listening sync.WaitGroup
	answer.lasts = sync.OnceFunc(func() {
		listening.Add(1)
		go func() {
			defer listening.Done()
			defer end()
			if cut, decision, err := watching.UntilDenied(lasting, g.client, let.asked.Question); cut {
				answer.cut(decision, err)
				cancel(ErrCut)
				if err != nil {
					g.note(request, err)
				}
			}
		}()
	})
	if atOnce {
		answer.lasts()
	}
	finished := false
	defer func() {
		cancel(nil)
		answer.leave()
		if answer.takenOver() {
			// Its watch ends when it is closed.
			return
		}
		// The handler is done, or has panicked: nothing may run on.
		end()
		listening.Wait()
		if finished {
			g.end(answer, request)
		}
	}()
	serve(answer, request.WithContext(with(ctx, let)), next)
	answer.done()
	finished = true
}

// serve calls the handler. One that gives up because its answer was cut, as httputil.ReverseProxy does, does not break off
// what has been ended already.
func serve(answer *writer, request *http.Request, next http.Handler) {
	defer func() {
		if !answer.over.Load() {
			return
		}
		if problem := recover(); problem != nil && problem != http.ErrAbortHandler {
			panic(problem)
		}
	}()
	next.ServeHTTP(answer, request)
}

// end finishes an answer that was cut.
func (g *guard) end(answer *writer, request *http.Request) {
	how, decision, err := answer.ending()
	switch how {
	case cutBefore:
		g.answer(answer.fresh(), request, decision, err)
	case cutOff:
		// What is broken off is not taken for whole.
		panic(http.ErrAbortHandler)
	}
}

type contextKey struct{}

type passed struct {
	decision usherd.Decision
	asked    gateway.Asked
}

func with(ctx context.Context, let passed) context.Context {
	return context.WithValue(ctx, contextKey{}, let)
}

// Decision is what let this request pass; false: nobody was asked.
func Decision(ctx context.Context) (usherd.Decision, bool) {
	held, ok := ctx.Value(contextKey{}).(passed)
	return held.decision, ok
}

// Asked is what was asked about this request.
func Asked(ctx context.Context) (gateway.Asked, bool) {
	held, ok := ctx.Value(contextKey{}).(passed)
	return held.asked, ok
}
