package usherd

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// serviceConfig has the retries of every client of usherd: all waits are inside of the call's deadline. When more than
// half of a connection's recent calls fail, it stops asking twice. A stream of Subscribe is opened anew by the cache.
const serviceConfig = `{
	"methodConfig": [{
		"name": [
			{"service": "usher.v1.AuthorizationService", "method": "Authorize"},
			{"service": "usher.v1.AuthorizationService", "method": "BatchCheck"},
			{"service": "usher.v1.AuthorizationService", "method": "ListModels"}
		],
		"retryPolicy": {
			"maxAttempts": 3,
			"initialBackoff": "0.01s",
			"maxBackoff": "0.05s",
			"backoffMultiplier": 2,
			"retryableStatusCodes": ["UNAVAILABLE"]
		}
	}],
	"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
}`

// The server takes a ping each 30 s. A connection whose other end is gone is noticed, so that the stream that is opened
// anew after silence is not opened on it for ever.
var keepAlive = keepalive.ClientParameters{Time: time.Minute, Timeout: 20 * time.Second}

// A server that is back is found within seconds, however long it was away.
var reconnecting = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
	MinConnectTimeout: 5 * time.Second,
}

// Asker is what middleware needs of a client; a [*Client] is one.
type Asker interface {
	Authorize(ctx context.Context, question Question, options ...CallOption) (Decision, error)
	Watch(ctx context.Context, question Question, options ...CallOption) iter.Seq2[Event, error]
}

// Client asks one usherd over one connection, and watches over others: 64 watches on each. It may be shared between
// goroutines, and should be: it holds the connections and the cache.
type Client struct {
	connection *grpc.ClientConn
	service    usherv1.AuthorizationServiceClient
	bearer     func() string
	timeout    time.Duration
	now        func() time.Time
	watches    *places
	turns      *turns
	sleeps     *sleeps
	cache      *cache // nil: none
	lifetime   context.Context
	end        context.CancelFunc
	closed     atomic.Bool
}

// New makes a client of the usherd at a gRPC target ("localhost:50051", "unix:///run/usherd.sock",
// "dns:///usherd.example:443"). It connects with the first question. Without credentials the connection is plaintext,
// which is refused for a target that is not surely on this machine.
func New(target string, options ...Option) (*Client, error) {
	s := settings{timeout: usualTimeout, keepAlive: keepAlive, now: time.Now}
	for _, option := range options {
		if err := option(&s); err != nil {
			return nil, err
		}
	}
	if s.credentials != nil && s.plaintext {
		return nil, errors.New("usherd: credentials and WithPlaintext: expected at most one of them")
	}
	if err := misread(target); err != nil {
		return nil, err
	}
	if s.credentials == nil && !s.plaintext {
		if s.dialer != nil || !staysHere(target) {
			return nil, errors.New("usherd: plaintext to what is not loopback or unix: expected WithTLS or WithPlaintext")
		}
		if lacksPort(target) {
			return nil, errors.New("usherd: expected a port in the target, such as localhost:50051")
		}
	}
	open := func() (*grpc.ClientConn, error) { return grpc.NewClient(target, dialOptions(&s)...) }
	connection, err := open()
	if err != nil {
		return nil, errors.New("usherd: the target is not one that gRPC can read")
	}
	c := &Client{
		connection: connection,
		service:    usherv1.NewAuthorizationServiceClient(connection),
		bearer:     s.bearer,
		timeout:    s.timeout,
		now:        s.now,
		watches:    &places{open: open},
		sleeps:     &sleeps{now: s.now},
	}
	c.lifetime, c.end = context.WithCancel(context.Background())
	c.turns = &turns{over: c.lifetime.Done()}
	if s.entries > 0 {
		c.cache = newCache(c.lifetime, s.entries, c.subscribe, s.now)
	}
	return c, nil
}

func dialOptions(s *settings) []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithDefaultServiceConfig(serviceConfig),
		// A TXT record of the target's zone would replace the configuration above.
		grpc.WithDisableServiceConfig(),
		grpc.WithKeepaliveParams(s.keepAlive),
		grpc.WithConnectParams(reconnecting),
		grpc.WithUserAgent("usherd-go"),
	}
	if s.credentials != nil {
		options = append(options, grpc.WithTransportCredentials(s.credentials))
	} else {
		// Whoever sets http_proxy for other programs must not be handed tokens in plaintext.
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	}
	if s.dialer != nil {
		options = append(options, grpc.WithContextDialer(s.dialer))
	}
	return options
}

// Close ends the connections and everything that runs on them: calls that are under way end with a fault, watches too.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.end()
	if c.cache != nil {
		c.cache.close()
	}
	c.watches.close()
	return c.connection.Close()
}

// Authorize asks a question, and has an answer before the deadline: that of the context, or the client's own, whichever
// is nearer. A denial is a [Decision]; an error is a [*Fault].
func (c *Client) Authorize(ctx context.Context, question Question, options ...CallOption) (Decision, error) {
	if c.cache != nil && len(options) == 0 {
		if k, ok := question.key(); ok {
			if decision, ok := c.cache.hit(k); ok {
				return decision, nil
			}
		}
	}
	return c.authorize(ctx, question, options)
}

// authorize is apart, so that what is answered from memory allocates nothing.
func (c *Client) authorize(ctx context.Context, question Question, options []CallOption) (Decision, error) {
	made, fault := c.call(&question, options)
	if fault != nil {
		return Decision{}, fault
	}
	ctx, cancel := context.WithTimeout(ctx, made.timeout)
	defer cancel()
	var decision Decision
	k, short := question.key()
	if c.cache != nil && short && !made.explain && made.fresh == "" {
		decision, fault = c.cache.ask(ctx, k, &question, made, c.once)
	} else {
		decision, fault = c.once(ctx, &question, made)
	}
	if fault != nil {
		return Decision{}, c.meant(fault)
	}
	return decision, nil
}

// call reads the options, and refuses what the gateway must not send.
func (c *Client) call(question *Question, options []CallOption) (*call, *Fault) {
	made := &call{timeout: c.timeout}
	for _, option := range options {
		option(made)
	}
	if !question.valid() || !made.valid() {
		return nil, &Fault{Kind: InvalidRequest}
	}
	if c.closed.Load() {
		return nil, &Fault{Kind: Closed}
	}
	return made, nil
}

// meant tells a fault that came of closing the client from others.
func (c *Client) meant(fault *Fault) *Fault {
	if c.closed.Load() {
		return &Fault{Kind: Closed}
	}
	return fault
}

// valid says whether a call may be made with these. On the stream of the cache a wrong one would end what is known of others.
func (c *call) valid() bool {
	return c.timeout > 0 && c.timeout <= longestTimeout && utf8.ValidString(c.fresh) && requestIDForm.MatchString(c.requestID)
}

func (c *call) options() *usherv1.Options {
	return &usherv1.Options{Explain: c.explain, AtLeastAsFresh: c.fresh, RequestId: c.requestID}
}

// shown is the context of a call that shows who this gateway is.
func (c *Client) shown(ctx context.Context) (context.Context, *Fault) {
	// What a gateway hands on of its own caller is not what it shows of itself.
	sent, handsOn := metadata.FromOutgoingContext(ctx)
	if c.bearer == nil && !handsOn {
		return ctx, nil
	}
	sent = sent.Copy()
	sent.Delete("authorization")
	if c.bearer != nil {
		credential := c.bearer()
		if !isCredential(credential) {
			return nil, &Fault{Kind: InvalidRequest}
		}
		sent.Set("authorization", "Bearer "+credential)
	}
	return metadata.NewOutgoingContext(ctx, sent), nil
}

// Stats are counters of the cache, and zero without one.
func (c *Client) Stats() Stats {
	if c.cache == nil {
		return Stats{}
	}
	return c.cache.read()
}
