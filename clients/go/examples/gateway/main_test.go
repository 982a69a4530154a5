package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdtest"
)

func TestAStreamThroughTheProxyEndsWhenItsTokenIsRevoked(t *testing.T) {
	upstreamEnded := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		defer close(upstreamEnded)
		if request.Header.Get("Authorization") != "" || request.Header.Get("X-Usherd-User") != "alice" {
			t.Errorf("upstream sees %v", request.Header)
		}
		if body, err := io.ReadAll(request.Body); err != nil || !strings.Contains(string(body), "gpt-4o") {
			t.Errorf("upstream reads %q, %v", body, err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for number := 0; request.Context().Err() == nil; number++ {
			fmt.Fprintf(w, "data: %d\n\n", number)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}))
	defer upstream.Close()
	to, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	usher := usherdtest.NewServer(t)
	usher.Set("alice-token", usherdtest.Allow().For(usherd.Principal{UserID: "alice"}))
	server := httptest.NewServer(guarded(usher.Client(usherd.WithTimeout(10*time.Second)), to))
	defer server.Close()

	request, err := http.NewRequest("POST", server.URL+"/v1/chat/completions", strings.NewReader(`{"model":"gpt-4o","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer alice-token")
	request.Header.Set("X-Usherd-User", "mallory")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "data: 0\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	usher.Revoke("alice-token")
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), `"code":"token_revoked"`) || !strings.HasSuffix(string(rest), "}}\n\n") {
		t.Errorf("it ended with %q, %v", rest[max(0, len(rest)-200):], err)
	}
	select {
	case <-upstreamEnded:
	case <-time.After(5 * time.Second):
		t.Error("upstream goes on")
	}
}
