//go:build stories

package stories

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdhttp"
)

// dialed counts the connections that are open.
type dialed struct {
	net.Conn
	open *atomic.Int64
	left atomic.Bool
}

func (d *dialed) Close() error {
	if !d.left.Swap(true) {
		d.open.Add(-1)
	}
	return d.Conn.Close()
}

// More completions stream through the middleware than usherd takes calls on one connection (100): requests go on being
// answered, and of the connections that it took one is kept.
func TestAGatewayIsAnsweredHoweverManyCompletionsStream(t *testing.T) {
	const many = 150
	l := start(t).lab(1)
	var open atomic.Int64
	client := l.client(usherd.WithPlaintext(), usherd.WithDialer(func(ctx context.Context, at string) (net.Conn, error) {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
		if err != nil {
			return nil, err
		}
		open.Add(1)
		return &dialed{Conn: connection, open: &open}, nil
	}))
	t.Cleanup(func() { _ = client.Close() })
	server := httptest.NewServer(usherdhttp.New(client)(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for request.Context().Err() == nil {
			fmt.Fprint(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	})))
	t.Cleanup(server.Close)
	var bodies []io.Closer
	for number := range many {
		body := fmt.Sprintf(`{"model":%q,"stream":true}`, *l.asks[0].Model)
		request, err := http.NewRequest(l.asks[0].Method, server.URL+l.asks[0].Route, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+l.asks[0].Token)
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		bodies = append(bodies, response.Body)
		if line, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil || line != "data: x\n" {
			t.Fatalf("completion %d: %d %q, %v", number, response.StatusCode, line, err)
		}
	}
	began := time.Now()
	if decision, err := client.Authorize(context.Background(), l.asks[0], usherd.Timeout(5*time.Second)); err != nil ||
		!decision.Allowed() {
		t.Errorf("beside them: %v, %v", decision, err)
	}
	t.Logf("answered beside %d completions after %v; %d connections", many, time.Since(began), open.Load())
	// One for questions, and as many as 64 watches fit on each.
	if got := open.Load(); got != 1+3 {
		t.Errorf("%d connections", got)
	}
	for _, each := range bodies {
		_ = each.Close()
	}
	for end := time.Now().Add(20 * time.Second); open.Load() != 2 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := open.Load(); got != 2 {
		t.Errorf("%d connections are left", got)
	}
}
