package usherdhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/usherd/usherd/clients/go/gateway"
	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdhttp"
	"github.com/usherd/usherd/clients/go/usherdtest"
)

const (
	path     = "/v1/chat/completions"
	plain    = `{"model":"gpt-4o"}`
	streamed = `{"model":"gpt-4o","stream":true}`
)

// gatewayOf is a real HTTP server behind the middleware, and the fake usherd that it asks.
func gatewayOf(
	t *testing.T, handler http.HandlerFunc, options ...usherdhttp.Option,
) (*usherdtest.Server, *httptest.Server) {
	t.Helper()
	usher := usherdtest.NewServer(t)
	usher.Set("good", usherdtest.Allow().Resolved("gpt-4o-2024"))
	guard := usherdhttp.New(usher.Client(usherd.WithCache(100), usherd.WithTimeout(10*time.Second)), options...)
	server := httptest.NewUnstartedServer(guard(handler))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return usher, server
}

func post(t *testing.T, server *httptest.Server, token, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestAnAllowedRequestReachesItsHandlerWhole(t *testing.T) {
	usher, server := gatewayOf(t, func(w http.ResponseWriter, request *http.Request) {
		decision, known := usherdhttp.Decision(request.Context())
		asked, _ := usherdhttp.Asked(request.Context())
		body, err := io.ReadAll(request.Body)
		fmt.Fprintln(w, decision.Allowed(), known, decision.ResolvedModel(), *asked.Model, string(body), err)
	})
	for range 2 {
		if got := bodyOf(t, post(t, server, "good", plain)); got != "true true gpt-4o-2024 gpt-4o "+plain+" <nil>\n" {
			t.Errorf("got %q", got)
		}
	}
	question := usher.Asked()[0]
	if question.Route != path || question.Method != "POST" || question.Token != "good" {
		t.Errorf("it asked for %s %s", question.Method, question.Route)
	}
}

func TestWhatMayNotPassDoesNotReachTheHandler(t *testing.T) {
	reached := false
	usher, server := gatewayOf(t, func(http.ResponseWriter, *http.Request) { reached = true },
		usherdhttp.Reading(gateway.Reader{MaxBody: 1000}))
	usher.Set("broken", usherdtest.Fault(codes.Unavailable, "KEYS_UNAVAILABLE"))
	usher.Set("old", usherdtest.Deny("TOKEN_EXPIRED"))
	for _, body := range []string{plain, streamed} {
		for _, each := range []struct {
			token, body string
			status      int
			code        string
		}{
			{"nobody", body, 403, "not_entitled"},
			{"old", body, 401, "token_expired"},
			{"broken", body, 503, "authorization_unavailable"},
			{"good", body + strings.Repeat(" ", 1000), 413, "body_too_large"},
		} {
			response := post(t, server, each.token, each.body)
			got := bodyOf(t, response)
			if response.StatusCode != each.status || !strings.Contains(got, `"code":"`+each.code+`"`) {
				t.Errorf("%s: %d %s", each.token, response.StatusCode, got)
			}
			if shown := response.Header.Get("WWW-Authenticate"); each.status == 401 && shown == "" {
				t.Error("it shows no challenge")
			}
		}
	}
	if reached {
		t.Error("the handler was reached")
	}
}

func TestWhatNeedsNoDecisionPassesWithoutOne(t *testing.T) {
	usher, server := gatewayOf(t, func(w http.ResponseWriter, request *http.Request) {
		_, known := usherdhttp.Decision(request.Context())
		fmt.Fprint(w, known)
	}, usherdhttp.Passing(func(request *http.Request) bool { return request.URL.Path == "/health" }))
	response, err := server.Client().Get(server.URL + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if got := bodyOf(t, response); got != "false" || len(usher.Asked()) != 0 {
		t.Errorf("got %q, asked %d", got, len(usher.Asked()))
	}
}

// streaming writes tokens until it may not, and says how that ended.
func streaming(kind, first string, ended chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", kind)
		control := http.NewResponseController(w)
		for number := 0; ; number++ {
			text := fmt.Sprintf("data: {\"n\":%d}\n\n", number)
			if number == 0 {
				text = first + text
			}
			if _, err := io.WriteString(w, text); err != nil {
				ended <- err
				return
			}
			if err := control.Flush(); err != nil {
				ended <- err
				return
			}
			select {
			case <-request.Context().Done():
				ended <- context.Cause(request.Context())
				_, _ = io.WriteString(w, "data: after the end\n\n")
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}

// over are the versions of HTTP that are spoken.
func over(t *testing.T, server *httptest.Server, do func(t *testing.T, version string)) {
	t.Run("HTTP/2", func(t *testing.T) { do(t, "HTTP/2.0") })
	one := server.Client().Transport.(*http.Transport).Clone()
	one.ForceAttemptHTTP2, one.TLSClientConfig.NextProtos = false, []string{"http/1.1"}
	one.Protocols = new(http.Protocols)
	one.Protocols.SetHTTP1(true)
	server.Client().Transport = one
	t.Run("HTTP/1.1", func(t *testing.T) { do(t, "HTTP/1.1") })
	one.CloseIdleConnections()
}

func TestARevocationEndsAStreamedAnswerWithAnErrorEvent(t *testing.T) {
	ended := make(chan error, 1)
	usher, server := gatewayOf(t, streaming("text/event-stream; charset=utf-8", "", ended))
	number := 0
	over(t, server, func(t *testing.T, version string) {
		number++
		token := fmt.Sprint("token", number)
		usher.Set(token, usherdtest.Allow())
		response := post(t, server, token, streamed)
		if response.Proto != version {
			t.Errorf("it is %s", response.Proto)
		}
		lines := bufio.NewReader(response.Body)
		if line, err := lines.ReadString('\n'); err != nil || line != "data: {\"n\":0}\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		began := time.Now()
		usher.Revoke(token)
		rest, err := io.ReadAll(lines)
		took := time.Since(began)
		if err != nil {
			t.Fatalf("it was broken off: %v", err)
		}
		want := `event: error
data: {"error":{"message":"Denied: TOKEN_REVOKED.","type":"authentication_error","param":null,"code":"token_revoked"}}

`
		if !strings.HasSuffix("data: {}\n"+string(rest), "\n\n"+want) || strings.Contains(string(rest), "after the end") {
			t.Errorf("it ended with %q", rest[max(0, len(rest)-300):])
		}
		if cause := <-ended; !errors.Is(cause, usherdhttp.ErrCut) {
			t.Errorf("the handler: %v", cause)
		}
		t.Logf("cut after %v", took)
		if took > 3*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

func TestAStreamOfEventsThatNobodyAnnouncedIsCut(t *testing.T) {
	ended := make(chan error, 1)
	usher, server := gatewayOf(t, streaming("text/event-stream", "", ended))
	response := post(t, server, "good", plain)
	lines := bufio.NewReader(response.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "data: {\"n\":0}\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	time.AfterFunc(3*time.Second, func() { _ = response.Body.Close() })
	usher.Revoke("good")
	if rest, err := io.ReadAll(lines); err != nil || !strings.Contains("\n"+string(rest), "\n\nevent: error\n") {
		t.Fatalf("it ended with %q, %v", rest[max(0, len(rest)-300):], err)
	}
	if cause := <-ended; !errors.Is(cause, usherdhttp.ErrCut) {
		t.Errorf("the handler: %v", cause)
	}
}

func TestAnAnswerInPartsThatNobodyAnnouncedIsWatchedOnceItLasts(t *testing.T) {
	ended := make(chan error, 1)
	usher, server := gatewayOf(t, streaming("application/x-ndjson", "", ended))
	response := post(t, server, "good", plain)
	lines := bufio.NewReader(response.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Second, func() { _ = response.Body.Close() })
	usher.Revoke("good")
	if _, err := io.ReadAll(lines); err == nil {
		t.Error("it ended as if it were whole")
	}
	if cause := <-ended; !errors.Is(cause, usherdhttp.ErrCut) {
		t.Errorf("the handler: %v", cause)
	}
}

func TestHalfAnEventIsEndedBeforeTheErrorEvent(t *testing.T) {
	begun := make(chan struct{})
	usher, server := gatewayOf(t, func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: hal")
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-request.Context().Done()
	})
	response := post(t, server, "good", streamed)
	<-begun
	usher.Set("good", usherdtest.Deny("TEAM_BLOCKED"))
	if got := bodyOf(t, response); !strings.HasPrefix(got, "data: hal\n\nevent: error\ndata: {") {
		t.Errorf("got %q", got)
	}
}

func TestAnyOtherAnswerThatIsCutIsBrokenOff(t *testing.T) {
	ended := make(chan error, 1)
	usher, server := gatewayOf(t, streaming("application/x-ndjson", "", ended))
	over(t, server, func(t *testing.T, version string) {
		usher.Set("good", usherdtest.Allow())
		response := post(t, server, "good", streamed)
		if response.Proto != version {
			t.Errorf("it is %s", response.Proto)
		}
		lines := bufio.NewReader(response.Body)
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		usher.Set("good", usherdtest.Deny("TEAM_BLOCKED"))
		if rest, err := io.ReadAll(lines); err == nil || strings.Contains(string(rest), "error") {
			t.Errorf("it is taken for whole: %q", rest)
		}
		if cause := <-ended; !errors.Is(cause, usherdhttp.ErrCut) {
			t.Errorf("the handler: %v", cause)
		}
	})
}

func TestAnAnswerThatHasNotBegunIsADenial(t *testing.T) {
	begun := make(chan struct{})
	usher, server := gatewayOf(t, func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Encoding", "gzip")
		close(begun)
		<-request.Context().Done()
		w.Header().Set("X-Late", "1")
		http.Error(w, "upstream failed", http.StatusBadGateway)
	})
	go func() {
		<-begun
		usher.Set("good", usherdtest.Deny("TEAM_BLOCKED"))
	}()
	response := post(t, server, "good", streamed)
	got := bodyOf(t, response)
	if response.StatusCode != 403 || response.Header.Get("Content-Type") != "application/json" ||
		response.Header.Get("Content-Encoding") != "" || response.Header.Get("X-Late") != "" ||
		!strings.Contains(got, "team_blocked") {
		t.Errorf("got %d %v %s", response.StatusCode, response.Header, got)
	}
}

func TestAStreamThatEndsByItselfIsWholeAndItsWatchEnds(t *testing.T) {
	_, server := gatewayOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	})
	for range 20 {
		if got := bodyOf(t, post(t, server, "good", streamed)); got != "data: [DONE]\n\n" {
			t.Fatalf("got %q", got)
		}
	}
}

func TestWhatIsUnknownIsCutLikeAFault(t *testing.T) {
	usher := usherdtest.NewServer(t, usherdtest.MaxSilence(300*time.Millisecond))
	usher.Set("good", usherdtest.Allow())
	ended := make(chan error, 1)
	client := usher.Client(usherd.WithTimeout(10 * time.Second))
	server := httptest.NewServer(usherdhttp.New(client)(streaming("text/event-stream", "", ended)))
	defer server.Close()
	response := post(t, server, "good", streamed)
	time.Sleep(400 * time.Millisecond) // confirmed meanwhile
	began := time.Now()
	usher.Mute(true)
	got := bodyOf(t, response)
	if !strings.HasSuffix(got, `"code":"authorization_unavailable"}}`+"\n\n") {
		t.Errorf("it ended with %q", got[max(0, len(got)-200):])
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("after %v", took)
	}
	<-ended
}

func TestEveryFaultIsNotedAndNoDenial(t *testing.T) {
	noted := make(chan string, 10)
	ended := make(chan error, 1)
	usher, server := gatewayOf(t, streaming("text/event-stream", "data: 1\n\n", ended), usherdhttp.Noting(
		func(request *http.Request, err error) {
			var fault *usherd.Fault
			noted <- fmt.Sprint(request.URL.Path, " ", err, " ", errors.As(err, &fault))
		},
	))
	usher.Set("down", usherdtest.Fault(codes.FailedPrecondition, "KEYS_UNAVAILABLE"))
	for token, status := range map[string]int{"down": 503, "nobody": 403} {
		if got := post(t, server, token, plain); got.StatusCode != status {
			t.Errorf("%s: %d", token, got.StatusCode)
		}
	}
	want := path + " usherd: the request does not fit the server's state (KEYS_UNAVAILABLE) true"
	if got := <-noted; got != want || len(noted) != 0 {
		t.Errorf("got %q, and %d more", got, len(noted))
	}
	response := post(t, server, "good", streamed)
	if first, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil {
		t.Fatal(first, err)
	}
	usher.Set("good", usherdtest.Fault(codes.Unavailable, "KEYS_UNAVAILABLE"))
	usher.Break()
	<-ended
	select {
	case got := <-noted:
		if !strings.HasPrefix(got, path+" usherd: not available") {
			t.Errorf("got %q", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("a stream that was cut is not noted")
	}
}

func TestAReaderWhoDoesNotReadCannotKeepAnAnswerOpen(t *testing.T) {
	ended := make(chan error, 1)
	usher := usherdtest.NewServer(t)
	usher.Set("good", usherdtest.Allow())
	client := usher.Client(usherd.WithTimeout(10 * time.Second))
	written := make(chan struct{}, 1)
	server := httptest.NewServer(usherdhttp.New(client)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			if _, err := io.WriteString(w, "data: "+strings.Repeat("x", 1<<16)+"\n\n"); err != nil {
				ended <- err
				return
			}
			select {
			case written <- struct{}{}:
			default:
			}
		}
	})))
	defer server.Close()
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Length: %d\r\n\r\n%s",
		path, len(streamed), streamed)
	<-written
	time.Sleep(300 * time.Millisecond) // until no buffer takes any more
	usher.Revoke("good")
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the handler writes on")
	}
}

func TestAWebsocketIsClosedWhenItMayNotGoOn(t *testing.T) {
	for name, lingers := range map[string]bool{"a handler that stays": true, "a handler that has gone": false} {
		t.Run(name, func(t *testing.T) {
			usher := usherdtest.NewServer(t)
			usher.Set("good", usherdtest.Allow())
			closed := make(chan error, 1)
			echo := func(connection net.Conn, buffered *bufio.ReadWriter) {
				_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
				_, err := io.Copy(connection, buffered)
				_ = connection.Close()
				closed <- err
			}
			handler := func(w http.ResponseWriter, _ *http.Request) {
				connection, buffered, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
				} else if lingers {
					echo(connection, buffered)
				} else {
					go echo(connection, buffered)
				}
			}
			client := usher.Client(usherd.WithTimeout(10 * time.Second))
			server := httptest.NewServer(usherdhttp.New(client)(http.HandlerFunc(handler)))
			defer server.Close()
			dial := func(token string) *bufio.ReadWriter {
				connection, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = connection.Close() })
				fmt.Fprintf(connection, "GET /v1/realtime?model=gpt-4o HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+
					"Upgrade: websocket\r\nAuthorization: Bearer %s\r\n\r\n", token)
				return bufio.NewReadWriter(bufio.NewReader(connection), bufio.NewWriter(connection))
			}
			if line, err := dial("nobody").ReadString('\n'); err != nil || !strings.Contains(line, " 403 ") {
				t.Errorf("a denial: %q, %v", line, err)
			}
			wire := dial("good")
			if line, err := wire.ReadString('\n'); err != nil || !strings.Contains(line, " 101 ") {
				t.Fatalf("got %q, %v", line, err)
			}
			if question := usher.Asked()[1]; question.Method != "GET" || question.Model == nil || *question.Model != "gpt-4o" {
				t.Error("it was asked about something else")
			}
			for _, want := range []string{"Upgrade: websocket\r\n", "\r\n", "hello\n"} {
				if want == "hello\n" {
					_, _ = wire.WriteString(want)
					_ = wire.Flush()
				}
				if line, err := wire.ReadString('\n'); err != nil || line != want {
					t.Fatalf("got %q, %v", line, err)
				}
			}
			time.Sleep(50 * time.Millisecond) // the handler that goes has gone
			usher.Revoke("good")
			if rest, err := io.ReadAll(wire); len(rest) != 0 {
				t.Errorf("got %q, %v", rest, err)
			}
			select {
			case <-closed:
			case <-time.After(5 * time.Second):
				t.Error("the connection is open")
			}
		})
	}
}

func TestAHandlerThatPanicsLeavesNothingBehind(t *testing.T) {
	_, server := gatewayOf(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	request, err := http.NewRequest(http.MethodPost, server.URL+path, strings.NewReader(streamed))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer good")
	if response, err := server.Client().Do(request); err == nil {
		t.Errorf("got %d", response.StatusCode)
		_ = response.Body.Close()
	}
}

func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			fmt.Printf("goroutines are left over\n%s\n", stacks[:runtime.Stack(stacks, true)])
			code = 1
			break
		}
	}
	os.Exit(code)
}
