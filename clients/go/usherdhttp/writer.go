package usherdhttp

import (
	"bufio"
	"bytes"
	"errors"
	"maps"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherd/usherd/clients/go/gateway"
	"github.com/usherd/usherd/clients/go/usherd"
)

// ErrCut is why the context of a request ends that may not go on, and what its writer answers from then on.
var ErrCut = errors.New("usherdhttp: the request may not go on")

// patience is how long a write may go on that had begun before the answer was cut.
const patience = time.Second

// lasting is how long an answer goes on before it is watched, unless it says that it is a stream.
const lasting = time.Second

// howCut says how an answer was cut.
type howCut int

const (
	notCut    howCut = iota
	cutBefore        // before it began: it is answered as one that may not pass
	cutEvent         // it ends with an error event
	cutOff           // it is broken off
)

// writer is the writer of an answer that may be cut at any time. It has no Unwrap: nobody writes past it.
type writer struct {
	under   http.ResponseWriter
	control *http.ResponseController
	lasts   func()      // has it watched, if it is not yet
	over    atomic.Bool // cut: nothing is written any more

	mu       sync.Mutex
	before   http.Header // what had been set when the handler began
	began    bool
	events   bool // it is a text/event-stream that an event can be written behind
	finished bool
	left     bool        // its handler has returned or panicked
	timer    *time.Timer // nil, or has it watched when it lasts
	tail     []byte      // the last bytes that were written
	how      howCut
	decision usherd.Decision
	err      error

	connection net.Conn    // taken over: nil if it is not
	keep       func() bool // keeps the watch when the request is over
	end        func()      // ends the watch
}

func newWriter(under http.ResponseWriter, keep func() bool, end func()) *writer {
	return &writer{
		under: under, control: http.NewResponseController(under), before: under.Header().Clone(), keep: keep, end: end,
	}
}

// begin notes what is about to be sent. The handler may go on changing its headers, which are not looked at again.
func (w *writer) begin() {
	if w.began {
		return
	}
	w.began = true
	header := w.under.Header()
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	encoding := header.Get("Content-Encoding")
	events := err == nil && kind == "text/event-stream"
	w.events = events && header.Get("Content-Length") == "" && (encoding == "" || strings.EqualFold(encoding, "identity"))
	if events {
		w.lasts()
	} else {
		w.timer = time.AfterFunc(lasting, w.goesOn)
	}
}

// goesOn has an answer watched that turns out to last.
func (w *writer) goesOn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.left && !w.over.Load() {
		w.lasts()
	}
}

// leave says that nothing is begun any more to watch it.
func (w *writer) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// Header is that of the answer.
func (w *writer) Header() http.Header {
	if w.over.Load() {
		// What a handler still says after the end is not sent.
		return http.Header{}
	}
	return w.under.Header()
}

// WriteHeader begins the answer.
func (w *writer) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over.Load() {
		return
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.begin()
	}
	w.under.WriteHeader(status)
}

// Write writes, or answers ErrCut.
func (w *writer) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over.Load() {
		return 0, ErrCut
	}
	w.begin()
	written, err := w.under.Write(data)
	w.tail = append(w.tail, data[max(0, written-4):written]...)
	w.tail = w.tail[max(0, len(w.tail)-4):]
	return written, err
}

// FlushError sends what was written.
func (w *writer) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over.Load() {
		return ErrCut
	}
	w.begin()
	return w.control.Flush()
}

// Flush is FlushError for those who do not ask.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack lets the handler take the connection over, for a websocket. It is closed when it may not go on, and watched
// until it is.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over.Load() {
		return nil, nil, ErrCut
	}
	connection, buffered, err := w.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.keep()
	w.lasts()
	w.began, w.connection = true, connection
	return &watchedConnection{connection, w.end}, buffered, nil
}

// watchedConnection ends its watch when it is closed.
type watchedConnection struct {
	net.Conn
	end func()
}

// Close is that of the connection.
func (c *watchedConnection) Close() error {
	c.end()
	return c.Conn.Close()
}

func (w *writer) takenOver() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connection != nil
}

// SetReadDeadline is that of http.ResponseController.
func (w *writer) SetReadDeadline(deadline time.Time) error {
	return w.control.SetReadDeadline(deadline)
}

// SetWriteDeadline is that of http.ResponseController.
func (w *writer) SetWriteDeadline(deadline time.Time) error {
	if w.over.Load() {
		return ErrCut
	}
	return w.control.SetWriteDeadline(deadline)
}

// EnableFullDuplex is that of http.ResponseController.
func (w *writer) EnableFullDuplex() error { return w.control.EnableFullDuplex() }

// cut ends the answer now, whatever its handler does.
func (w *writer) cut(decision usherd.Decision, err error) {
	w.over.Store(true)
	// A write that waits for a reader who does not read must not keep the answer open.
	unblock := time.AfterFunc(patience, func() { _ = w.control.SetWriteDeadline(time.Now()) })
	defer unblock.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished && w.connection == nil {
		return
	}
	w.decision, w.err = decision, err
	if w.connection != nil {
		// Whoever reads and writes there is told by that.
		_ = w.connection.Close()
		return
	}
	switch {
	case !w.began:
		w.how = cutBefore
	case w.events && w.writeEvent(decision):
		w.how = cutEvent
	default:
		w.how = cutOff
	}
}

// writeEvent says why, as the last event; false: it could not be said.
func (w *writer) writeEvent(decision usherd.Decision) bool {
	// What the handler wrote last may be half an event.
	event := gateway.Cut(decision)
	if len(w.tail) > 0 && !bytes.HasSuffix(w.tail, []byte("\n\n")) && !bytes.HasSuffix(w.tail, []byte("\r\n\r\n")) {
		event = append([]byte("\n\n"), event...)
	}
	_ = w.control.SetWriteDeadline(time.Now().Add(patience))
	if _, err := w.under.Write(event); err != nil {
		return false
	}
	if w.control.Flush() != nil {
		return false
	}
	// The end of the answer is written when its handler returns.
	_ = w.control.SetWriteDeadline(time.Time{})
	return true
}

// done says that the handler has returned: what it wrote is whole, unless it was cut before.
func (w *writer) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = w.how == notCut
}

func (w *writer) ending() (howCut, usherd.Decision, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.how, w.decision, w.err
}

// fresh is the writer as it was before the handler began, for another answer in its place.
func (w *writer) fresh() http.ResponseWriter {
	header := w.under.Header()
	clear(header)
	maps.Copy(header, w.before)
	return w.under
}
