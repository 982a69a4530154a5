package usherd

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// deaf is a stream whose server speaks and does not read.
type deaf struct {
	ctx  context.Context
	said chan *usherv1.SubscribeResponse
}

func (d *deaf) Send(*usherv1.SubscribeRequest) error {
	<-d.ctx.Done()
	return d.ctx.Err()
}

func (d *deaf) Recv() (*usherv1.SubscribeResponse, error) {
	select {
	case message := <-d.said:
		return message, nil
	case <-d.ctx.Done():
		return nil, d.ctx.Err()
	}
}

func TestAServerThatDoesNotReadIsNotSentMoreAndMore(t *testing.T) {
	ctx, end := context.WithCancel(context.Background())
	said := make(chan *usherv1.SubscribeResponse)
	c := newCache(ctx, mostEntries, func(ctx context.Context) (subscription, error) { return &deaf{ctx, said}, nil }, time.Now)
	defer func() {
		end()
		c.close()
	}()
	checkpoint := &usherv1.SubscribeResponse{
		Event: &usherv1.SubscribeResponse_Checkpoint{Checkpoint: &usherv1.Checkpoint{}},
		Terms: &usherv1.StreamTerms{Mode: usherv1.Mode_MODE_WATCH, MaxSilence: durationpb.New(time.Hour)},
	}
	close(c.wanted)
	said <- checkpoint
	said <- checkpoint
	most, asked := 0, 0
	for range 20 {
		for range 2 * mostPending {
			asked++
			question := Question{Token: fmt.Sprint(asked)}
			k, _ := question.key()
			c.join(k, &question, &call{})
		}
		c.mu.Lock()
		most = max(most, len(c.feed.changes))
		// Nobody answered for longer than additions are waited for.
		for _, each := range c.numbered {
			each.added = each.added.Add(-2 * longestPending)
		}
		c.mu.Unlock()
		said <- checkpoint
		said <- checkpoint
	}
	if most < mostPending || most > mostUnsent+mostPending {
		t.Errorf("%d changes waited to be sent", most)
	}
}
