package usherdtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/usherd/usherd/clients/go/internal/exampletest"
	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdhttp"
	"github.com/usherd/usherd/clients/go/usherdtest"
)

// A gateway's own test: what is allowed reaches the handler, until it is not allowed any more.
func ExampleServer() {
	t := new(exampletest.T) // in a test, its *testing.T
	defer t.End()
	usher := usherdtest.NewServer(t)
	usher.Set("alice-token", usherdtest.Allow().For(usherd.Principal{UserID: "alice"}))

	guard := usherdhttp.New(usher.Client(usherd.WithCache(100)))
	handler := guard(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		decision, _ := usherdhttp.Decision(request.Context())
		who, _ := decision.Principal()
		fmt.Fprint(w, "hello ", who.UserID)
	}))
	ask := func() {
		request := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(`{"model":"gpt-4o"}`))
		request.Header.Set("Authorization", "Bearer alice-token")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		body, _ := io.ReadAll(answer.Body)
		fmt.Println(answer.Code, string(body))
	}

	ask()
	usher.Set("alice-token", usherdtest.Deny("TEAM_BLOCKED"))
	ask()
	// Output:
	// 200 hello alice
	// 403 {"error":{"message":"Denied: TEAM_BLOCKED.","type":"permission_error","param":null,"code":"team_blocked"}}
}
