// Package watching waits until a request that lasts is allowed no longer.
package watching

import (
	"context"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

const (
	// patience is how long a watch may take to get its first decision. The one that let the request pass is as old then.
	patience     = 5 * time.Second
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// UntilDenied returns when the question is allowed no longer: with the denial, or with a fault when that is unknown. It
// returns false when the context is done before.
func UntilDenied(
	ctx context.Context, client usherd.Asker, question usherd.Question,
) (cut bool, decision usherd.Decision, err error) {
	end, pause := time.Now().Add(patience), firstPause
	for {
		told := false
		for event, fault := range client.Watch(ctx, question) {
			if ctx.Err() != nil {
				return false, usherd.Decision{}, nil
			}
			if err = fault; fault != nil {
				break
			}
			if event.Kind == usherd.Unknown {
				return true, usherd.Decision{}, &usherd.Fault{Kind: usherd.Unavailable}
			}
			if !event.Allowed() {
				return true, event.Decision, nil
			}
			told = true
		}
		if err == nil {
			err = &usherd.Fault{Kind: usherd.BadAnswer}
		}
		// What was watched once and is no longer, or could not be for too long, is unknown.
		if told || time.Now().Add(pause).After(end) {
			return ctx.Err() == nil, usherd.Decision{}, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, usherd.Decision{}, nil
		}
		pause = min(2*pause, longestPause)
	}
}
