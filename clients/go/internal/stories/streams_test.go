//go:build stories

package stories

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdhttp"
)

// The whole way: a real HTTP server behind the middleware, streams of several teams, and usherd that hears of changes.
func TestStreamedAnswersAreCutWhenUsherdIsTold(t *testing.T) {
	l := start(t).lab(3)
	client := l.client(usherd.WithCache(100))
	t.Cleanup(func() { _ = client.Close() })
	server := httptest.NewServer(usherdhttp.New(client)(http.HandlerFunc(endless)))
	t.Cleanup(server.Close)
	streams := make([]*bufio.Reader, len(l.asks))
	for team, question := range l.asks {
		body := fmt.Sprintf(`{"model":%q,"stream":true}`, *question.Model)
		request, err := http.NewRequest(question.Method, server.URL+question.Route, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+question.Token)
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		streams[team] = bufio.NewReader(response.Body)
		if line, err := streams[team].ReadString('\n'); err != nil || line != "data: 0\n" {
			t.Fatalf("team %d: %d %q, %v", team, response.StatusCode, line, err)
		}
	}
	// They go on for longer than usherd may be silent.
	for end := time.Now().Add(2 * l.maxSilence); time.Now().Before(end); {
		for team := range streams {
			if _, err := streams[team].ReadString('\n'); err != nil {
				t.Fatalf("team %d: %v", team, err)
			}
		}
	}
	for team, code := range []string{"token_revoked", "team_blocked"} {
		began := time.Now()
		if code == "token_revoked" {
			l.call("POST", "/lab/revoke", map[string]int{"team": team}, nil)
		} else {
			l.flip(team, true)
		}
		rest, err := io.ReadAll(streams[team])
		took := time.Since(began)
		if err != nil || !strings.Contains(string(rest[max(0, len(rest)-300):]), "event: error\ndata: {") ||
			!strings.HasSuffix(string(rest), `"code":"`+code+`"}}`+"\n\n") {
			t.Errorf("team %d ended with %q, %v", team, rest[max(0, len(rest)-300):], err)
		}
		t.Logf("%s: cut %v after it was asked for", code, took)
	}
	for range 10 {
		if _, err := streams[2].ReadString('\n'); err != nil {
			t.Fatalf("another was cut: %v", err)
		}
	}
}

// endless is a completion that goes on for as long as it may.
func endless(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for number := 0; request.Context().Err() == nil; number++ {
		fmt.Fprintf(w, "data: %d\n\n", number)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Millisecond)
	}
}
