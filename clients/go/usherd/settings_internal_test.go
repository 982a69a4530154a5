package usherd

import (
	"time"

	"google.golang.org/grpc/keepalive"
)

// RealKeepAlive is what a client does unless a test has it do something else.
var RealKeepAlive = keepAlive

// WithKeepAlive has a client notice sooner that its peer is gone. gRPC pings after 10 s at the earliest.
func WithKeepAlive(parameters keepalive.ClientParameters) Option {
	return func(s *settings) error {
		s.keepAlive = parameters
		return nil
	}
}

// WithClock has a client read the time from there.
func WithClock(now func() time.Time) Option {
	return func(s *settings) error {
		s.now = now
		return nil
	}
}
