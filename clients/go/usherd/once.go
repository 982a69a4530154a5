package usherd

import (
	"context"
	"io"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// once asks one question by itself. The context has a deadline.
func (c *Client) once(ctx context.Context, question *Question, made *call) (Decision, *Fault) {
	if c.closed.Load() {
		return Decision{}, &Fault{Kind: Closed}
	}
	ctx, fault := c.shown(ctx)
	if fault != nil {
		return Decision{}, fault
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.service.Authorize(ctx, &usherv1.AuthorizeRequest{
		Question: question.message(), Options: made.options(), Mode: usherv1.Mode_MODE_ONCE,
	})
	if err != nil {
		return Decision{}, faultOf(ctx, err)
	}
	first, err := stream.Recv()
	if err == io.EOF {
		return Decision{}, &Fault{Kind: BadAnswer}
	} else if err != nil {
		return Decision{}, faultOf(ctx, err)
	}
	// An ALLOW counts only when the stream then ends, and ends with OK.
	if _, err := stream.Recv(); err == nil {
		return Decision{}, &Fault{Kind: BadAnswer}
	} else if err != io.EOF {
		return Decision{}, faultOf(ctx, err)
	}
	switch first.GetTerms().GetMode() {
	case usherv1.Mode_MODE_UNSPECIFIED, usherv1.Mode_MODE_ONCE:
		return decisionOf(first.GetDecision())
	default:
		return Decision{}, &Fault{Kind: BadAnswer}
	}
}
