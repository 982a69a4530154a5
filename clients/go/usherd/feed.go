package usherd

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

const (
	// firstWithin is how long a stream may take for its first message after the first addition.
	firstWithin = 5 * time.Second
	// mostChanges and largestMessage bound a message: the server takes 256 changes and 256 KiB.
	mostChanges    = 256
	largestMessage = 128 << 10
)

// subscription is a stream of Subscribe.
type subscription interface {
	Send(*usherv1.SubscribeRequest) error
	Recv() (*usherv1.SubscribeResponse, error)
}

// subscribe opens a stream. It returns when the connection is there.
func (c *Client) subscribe(ctx context.Context) (subscription, error) {
	ctx, fault := c.shown(ctx)
	if fault != nil {
		return nil, fault
	}
	return c.service.Subscribe(ctx)
}

// feed is one stream of Subscribe. The cache's lock guards it.
type feed struct {
	stream subscription
	cancel context.CancelFunc
	last   uint64
	terms  bool // the first message has come, and said how the stream is served
	// heard is when something was heard the last time, and silence how long it may be ago.
	heard   time.Time
	silence time.Duration // 0: nothing is waited for yet
	watch   *time.Timer
	changes []change
	more    chan struct{}
}

// change is an addition, or without a question a removal. They are sent in their order: a removal that makes room for an
// addition comes before it.
type change struct {
	number   uint64
	question *usherv1.Question
	options  *usherv1.Options
}

// silent says whether the stream was silent for longer than it may be.
func (f *feed) silent(now time.Time) bool {
	if f.silence == 0 {
		return false
	}
	return gap(f.heard, now) > f.silence
}

func (f *feed) number() uint64 {
	f.last++
	return f.last
}

func (f *feed) add(number uint64, question *usherv1.Question, options *usherv1.Options, now time.Time) {
	if f.silence == 0 {
		f.heard, f.silence = now, firstWithin
		f.watch.Reset(firstWithin)
	}
	f.put(change{number, question, options})
}

func (f *feed) remove(number uint64) { f.put(change{number: number}) }

func (f *feed) put(made change) {
	f.changes = append(f.changes, made)
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// serve opens a stream and hears what it says until it is lost.
func (c *cache) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.open(ctx)
	if err != nil {
		return
	}
	f := &feed{stream: stream, cancel: cancel, more: make(chan struct{}, 1)}
	// Until the first addition nothing is waited for.
	f.watch = time.AfterFunc(time.Hour, func() { c.listen(f) })
	defer f.watch.Stop()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.feed = f
	c.mu.Unlock()
	var writing sync.WaitGroup
	writing.Add(1)
	go func() {
		defer writing.Done()
		c.write(ctx, f)
	}()
	defer writing.Wait()
	defer cancel()
	for {
		message, err := stream.Recv()
		c.mu.Lock()
		if err != nil {
			c.lose(f, false)
		} else if c.feed == f {
			c.hear(f, message, c.now())
		}
		over := c.feed != f
		c.mu.Unlock()
		if over {
			return
		}
	}
}

// listen ends a stream that is silent, though nobody asks.
func (c *cache) listen(f *feed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.feed != f {
		return
	}
	now := c.now()
	if f.silent(now) {
		c.lose(f, true)
		return
	}
	wait := time.Hour
	if f.silence > 0 {
		wait = max(f.silence-now.Sub(f.heard)+time.Millisecond, time.Millisecond)
	}
	f.watch.Reset(wait)
}

// write sends what has to be added and removed.
func (c *cache) write(ctx context.Context, f *feed) {
	for {
		select {
		case <-f.more:
		case <-ctx.Done():
			return
		}
		for {
			c.mu.Lock()
			request := f.next()
			c.mu.Unlock()
			if request == nil {
				break
			}
			// The reader hears why this failed.
			if f.stream.Send(request) != nil {
				return
			}
		}
	}
}

// next is the next message: additions, then removals, as the server takes them.
func (f *feed) next() *usherv1.SubscribeRequest {
	request := &usherv1.SubscribeRequest{}
	taken, size := 0, 0
	for _, each := range f.changes[:min(len(f.changes), mostChanges)] {
		if each.question == nil {
			request.Remove = append(request.Remove, each.number)
		} else {
			size += proto.Size(each.question) + proto.Size(each.options) + 32
			if len(request.Remove) > 0 || taken > 0 && size > largestMessage {
				break
			}
			request.Add = append(request.Add, &usherv1.SubscribeRequest_Add{
				Id: each.number, Question: each.question, Options: each.options,
			})
		}
		taken++
	}
	if taken == 0 {
		return nil
	}
	// Tokens are not kept where they were.
	clear(f.changes[:taken])
	f.changes = f.changes[taken:]
	return request
}
