package usherdgrpc

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestWhoIsToldOfACutFindsItsCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stream := &watchedStream{ctx: ctx}
	told := errors.New("cut")
	stream.cut.Store(&told)
	time.AfterFunc(20*time.Millisecond, func() { cancel(ErrCut) })
	if err := stream.SendMsg(nil); !errors.Is(err, told) {
		t.Errorf("got %v", err)
	}
	if cause := context.Cause(ctx); !errors.Is(cause, ErrCut) {
		t.Errorf("the context ended with %v", cause)
	}
}
