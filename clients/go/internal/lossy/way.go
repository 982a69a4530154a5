// Package lossy has a way to a server that tests can have lose whatever is sent, with all of its sockets open.
package lossy

import (
	"net"
	"sync"
	"testing"
)

// Way is an address of this machine that leads to another one.
type Way struct {
	// Address is where to connect to.
	Address string

	target   string
	listener net.Listener

	mu      sync.Mutex
	swallow bool
	open    map[net.Conn]bool // whether what comes from there is lost for good
	running sync.WaitGroup
}

// To opens a way to that TCP address, and closes it with the test.
func To(t testing.TB, target string) *Way {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Way{Address: listener.Addr().String(), target: target, listener: listener, open: map[net.Conn]bool{}}
	w.goes(w.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		w.Break()
		w.running.Wait()
	})
	return w
}

// Swallow has everything lost that is sent from now on, in both directions, as when packets are dropped: nobody is told.
// False lets it through again.
func (w *Way) Swallow(swallow bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.swallow = swallow
}

// Lose has those connections that are open now stay open, and silent for good. New ones are served.
func (w *Way) Lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for each := range w.open {
		w.open[each] = true
	}
}

// Break closes all connections.
func (w *Way) Break() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for each := range w.open {
		_ = each.Close()
	}
}

func (w *Way) goes(do func()) {
	w.running.Add(1)
	go func() {
		defer w.running.Done()
		do()
	}()
}

func (w *Way) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		w.open[near], w.open[far] = false, false
		w.mu.Unlock()
		w.goes(func() { w.carry(near, far) })
		w.goes(func() { w.carry(far, near) })
	}
}

// carry hands on what comes from one end, until an end is closed.
func (w *Way) carry(from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, from)
	}()
	buffer := make([]byte, 32<<10)
	for {
		read, err := from.Read(buffer)
		if err != nil {
			return
		}
		// Under the lock, so that nothing is on its way any more once Swallow has returned.
		w.mu.Lock()
		if !w.swallow && !w.open[from] {
			_, err = to.Write(buffer[:read])
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}
