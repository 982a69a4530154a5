package usherdgrpc

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
)

// watchedStream ends when it may not go on, though its other end neither sends nor reads.
type watchedStream struct {
	grpc.ServerStream
	ctx context.Context
	cut atomic.Pointer[error]
}

// Context ends with the cause ErrCut when the stream may not go on.
func (s *watchedStream) Context() context.Context { return s.ctx }

// SendMsg sends nothing that may not be sent.
func (s *watchedStream) SendMsg(message any) error {
	return s.unlessCut(func() error { return s.ServerStream.SendMsg(message) })
}

// RecvMsg hands on nothing that came after the end.
func (s *watchedStream) RecvMsg(message any) error {
	return s.unlessCut(func() error { return s.ServerStream.RecvMsg(message) })
}

// unlessCut does not wait for what goes on longer than the stream may. That ends with the stream, soon afterwards.
func (s *watchedStream) unlessCut(do func() error) error {
	if cut := s.ended(); cut != nil {
		return cut
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		if cut := s.ended(); cut != nil {
			return cut
		}
		return err
	case <-s.ctx.Done():
		if cut := s.ended(); cut != nil {
			return cut
		}
		return <-done
	}
}

// ended is what the stream was cut with; nil: it was not. Whoever is told finds the cause in its context, too, which ends
// in the next moment.
func (s *watchedStream) ended() error {
	cut := s.cut.Load()
	if cut == nil {
		return nil
	}
	<-s.ctx.Done()
	return *cut
}
