package usherd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

const (
	usualTimeout   = time.Second
	longestTimeout = time.Minute
	mostEntries    = 10_000

	longestCredential = 4096
)

// Option is an option of [New].
type Option func(*settings) error

type settings struct {
	credentials credentials.TransportCredentials
	plaintext   bool
	bearer      func() string
	timeout     time.Duration
	entries     int
	dialer      func(context.Context, string) (net.Conn, error)
	// Tests alone change these. A server ends connections that ping more often.
	keepAlive keepalive.ClientParameters
	now       func() time.Time
}

// WithTLS encrypts the connection, as configured: set Certificates for mTLS. Nil: whom this machine trusts is believed.
func WithTLS(config *tls.Config) Option {
	return WithTransportCredentials(credentials.NewTLS(config))
}

// WithTransportCredentials secures the connection with these credentials.
func WithTransportCredentials(given credentials.TransportCredentials) Option {
	return func(s *settings) error {
		if given == nil {
			return errors.New("usherd: WithTransportCredentials: expected credentials")
		}
		if given.Info().SecurityProtocol == "insecure" {
			return errors.New("usherd: WithTransportCredentials: these encrypt nothing; WithPlaintext says so")
		}
		s.credentials = given
		return nil
	}
}

// WithPlaintext allows plaintext to a target that is not surely on this machine. Tokens can be read on the way.
func WithPlaintext() Option {
	return func(s *settings) error {
		s.plaintext = true
		return nil
	}
}

// WithBearer sends the credential that the server knows this gateway by.
func WithBearer(credential string) Option {
	return func(s *settings) error {
		if !isCredential(credential) {
			return errors.New("usherd: WithBearer: expected ASCII letters, digits and -._~+/, = at the end only")
		}
		s.bearer = func() string { return credential }
		return nil
	}
}

// WithBearerFunc is asked for the credential of each call; it must not wait. What cannot be sent ends the call with a
// fault of kind InvalidRequest.
func WithBearerFunc(credential func() string) Option {
	return func(s *settings) error {
		if credential == nil {
			return errors.New("usherd: WithBearerFunc: expected a function")
		}
		s.bearer = credential
		return nil
	}
}

// WithTimeout is the deadline of each call unless it has a nearer one: more than 0, at most a minute; a second unless
// given.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) error {
		if timeout <= 0 || timeout > longestTimeout {
			return fmt.Errorf("usherd: WithTimeout: expected more than 0 and at most %v", longestTimeout)
		}
		s.timeout = timeout
		return nil
	}
}

// WithCache keeps at most so many decisions, 1 to 10,000, for as long as the server keeps them true.
func WithCache(entries int) Option {
	return func(s *settings) error {
		if entries < 1 || entries > mostEntries {
			return fmt.Errorf("usherd: WithCache: expected 1 to %d entries", mostEntries)
		}
		s.entries = entries
		return nil
	}
}

// WithDialer connects by that function instead of the network. Where it leads to is not known to be on this machine:
// WithPlaintext or credentials go with it.
func WithDialer(dial func(ctx context.Context, address string) (net.Conn, error)) Option {
	return func(s *settings) error {
		s.dialer = dial
		return nil
	}
}

var credentialForm = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

func isCredential(text string) bool {
	return len(text) <= longestCredential && credentialForm.MatchString(text)
}

// CallOption is an option of one call.
type CallOption func(*call)

type call struct {
	timeout   time.Duration
	explain   bool
	fresh     string
	requestID string
}

// Timeout is the deadline of this call unless its context has a nearer one: more than 0, at most a minute. What is
// outside of that ends the call with a fault of kind InvalidRequest.
func Timeout(timeout time.Duration) CallOption { return func(c *call) { c.timeout = timeout } }

// Explain asks for the explanation, which stands in [Decision.Wire]. Such a call passes the cache by.
func Explain() CallOption { return func(c *call) { c.explain = true } }

// AtLeastAsFresh asks for an answer that is at least as fresh as a [Decision.Revision]. Such a call passes the cache by.
func AtLeastAsFresh(revision string) CallOption { return func(c *call) { c.fresh = revision } }

var requestIDForm = regexp.MustCompile(`^[ -~]{0,128}$`)

// RequestID is the gateway's own id of the request, for the server's logs: printable ASCII, at most 128 bytes. What is not
// ends the call with a fault of kind InvalidRequest: check one that an end user may have chosen before.
func RequestID(id string) CallOption { return func(c *call) { c.requestID = id } }
