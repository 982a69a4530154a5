package usherd

import (
	"slices"
	"sync"

	"google.golang.org/grpc"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// mostWatches is how many calls a connection has at most. A server takes so many at least, and lets what is beyond wait
// without a word.
const mostWatches = 64

// places are the connections of what is watched, apart from that of all other calls.
type places struct {
	open func() (*grpc.ClientConn, error)

	mu   sync.Mutex
	all  []*place
	over bool
}

// place is one connection.
type place struct {
	connection *grpc.ClientConn
	service    usherv1.AuthorizationServiceClient
	calls      int
}

// take is a place for one call, which leave has to give back: on the first connection that has room, or on a new one.
func (p *places) take() (*place, *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil, &Fault{Kind: Closed}
	}
	for _, each := range p.all {
		if each.calls < mostWatches {
			each.calls++
			return each, nil
		}
	}
	connection, err := p.open()
	if err != nil {
		// The same target was taken before.
		return nil, &Fault{Kind: Internal}
	}
	made := &place{connection, usherv1.NewAuthorizationServiceClient(connection), 1}
	p.all = append(p.all, made)
	return made, nil
}

// leave gives a place back. Of connections that nobody watches on one is kept.
func (p *places) leave(left *place) {
	p.mu.Lock()
	left.calls--
	idle := func(each *place) bool { return each.calls == 0 }
	another := slices.ContainsFunc(p.all, func(each *place) bool { return each != left && idle(each) })
	goes := !p.over && idle(left) && another
	if goes {
		p.all = slices.DeleteFunc(p.all, func(each *place) bool { return each == left })
	}
	p.mu.Unlock()
	if goes {
		_ = left.connection.Close()
	}
}

// close ends all connections, and what runs on them. None is opened any more.
func (p *places) close() {
	p.mu.Lock()
	p.over = true
	all := p.all
	p.all = nil
	p.mu.Unlock()
	for _, each := range all {
		_ = each.connection.Close()
	}
}
