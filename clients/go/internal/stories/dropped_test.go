//go:build stories

package stories

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/internal/lossy"
	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdhttp"
)

// Packets are dropped, and every socket stays open: usherd blocks the team, the client hears nothing of it, and still the
// allowance is not served for longer than usherd may be silent.
func TestNoAnswerOutlivesASilentCut(t *testing.T) {
	l := start(t).lab(1)
	way := lossy.To(t, l.Grpc)
	through := *l.storyServer
	through.Grpc = way.Address
	client := (&lab{&through, l.asks, l.maxSilence}).warm()
	for range 3 {
		if decision, err := client.Authorize(context.Background(), l.asks[0]); err != nil || !decision.Allowed() {
			t.Fatalf("%v, %v", decision, err)
		}
		silences := client.Stats().Silences
		way.Swallow(true)
		cut := time.Now()
		l.flip(0, true)
		served := time.Duration(0)
		for since := time.Duration(0); since < 2*l.maxSilence; {
			since = time.Since(cut)
			decision, err := client.Authorize(context.Background(), l.asks[0], usherd.Timeout(20*time.Millisecond))
			var fault *usherd.Fault
			switch {
			case err == nil && decision.Allowed():
				served = since
			case err == nil:
				t.Fatalf("%v came through", decision)
			case !errors.As(err, &fault):
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		// What had come before the cut was heard a moment later.
		if served > l.maxSilence+200*time.Millisecond || served == 0 {
			t.Errorf("it was served for %v, and usherd is silent for %v at most", served, l.maxSilence)
		}
		t.Logf("served for %v of %v", served, l.maxSilence)
		if client.Stats().Silences == silences {
			t.Errorf("it was no silence: %+v", client.Stats())
		}
		way.Break()
		way.Swallow(false)
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			decision, err := client.Authorize(context.Background(), l.asks[0])
			if err == nil && decision.Allowed() {
				t.Fatal("it is allowed, though the team is blocked")
			}
			if err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
		l.flip(0, false)
		l.known(client)
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if decision, err := client.Authorize(context.Background(), l.asks[0]); err == nil && decision.Allowed() {
				break
			}
			if time.Now().After(end) {
				t.Fatal("it is never allowed again")
			}
		}
	}
}

// So does a streamed answer: it is cut when nothing can be learned about it any more.
func TestNoStreamOutlivesASilentCut(t *testing.T) {
	l := start(t).lab(1)
	way := lossy.To(t, l.Grpc)
	through := *l.storyServer
	through.Grpc = way.Address
	client := through.client(usherd.WithCache(10))
	t.Cleanup(func() { _ = client.Close() })
	noted := make(chan error, 1)
	server := httptest.NewServer(usherdhttp.New(
		client, usherdhttp.Noting(func(_ *http.Request, err error) { noted <- err }),
	)(http.HandlerFunc(endless)))
	t.Cleanup(server.Close)
	body := fmt.Sprintf(`{"model":%q,"stream":true}`, *l.asks[0].Model)
	request, err := http.NewRequest(http.MethodPost, server.URL+l.asks[0].Route, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+l.asks[0].Token)
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	for end := time.Now().Add(2 * l.maxSilence); time.Now().Before(end); {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("%d, %v", response.StatusCode, err)
		}
	}
	way.Swallow(true)
	cut := time.Now()
	rest, err := io.ReadAll(lines)
	took := time.Since(cut)
	if err != nil || !strings.HasSuffix(string(rest), `"code":"authorization_unavailable"}}`+"\n\n") {
		t.Errorf("it ended with %q, %v", rest[max(0, len(rest)-200):], err)
	}
	if took > l.maxSilence+time.Second {
		t.Errorf("it went on for %v, and usherd is silent for %v at most", took, l.maxSilence)
	}
	t.Logf("cut after %v of %v: %v", took, l.maxSilence, <-noted)
}
