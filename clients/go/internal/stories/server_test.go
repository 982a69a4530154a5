//go:build stories

package stories

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

// storyServer is usherd's real gRPC server in a process of its own, and how it is told what to answer for.
type storyServer struct {
	t    *testing.T
	Grpc string
	HTTP string
	Pid  int
	tidy *http.Client
}

func start(t *testing.T, arguments ...string) *storyServer {
	t.Helper()
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(
		filepath.Join(root, ".venv", "bin", "python"), append([]string{"-m", "tools.story_server"}, arguments...)...,
	)
	command.Dir = root
	command.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(root, "tests"))
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s := &storyServer{t: t, tidy: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	t.Cleanup(func() {
		_ = input.Close()
		waited := make(chan error, 1)
		go func() { waited <- command.Wait() }()
		select {
		case <-waited:
		case <-time.After(20 * time.Second):
			_ = command.Process.Kill()
			t.Error("the story server did not end")
		}
	})
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// call asks the server for something over HTTP.
func (s *storyServer) call(method, path string, body, into any) {
	s.t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequest(method, s.HTTP+path, bytes.NewReader(sent))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.tidy.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %s %s %v", method, path, response.Status, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			s.t.Fatalf("%s: %v", answer, err)
		}
	}
}

// client is a new client, which is closed by whoever asked for it.
func (s *storyServer) client(options ...usherd.Option) *usherd.Client {
	s.t.Helper()
	client, err := usherd.New(s.Grpc, append([]usherd.Option{usherd.WithTimeout(10 * time.Second)}, options...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// asked is a question as the server gives it.
type asked struct {
	Token              string   `json:"token"`
	Route              string   `json:"route"`
	Method             string   `json:"method"`
	Model              *string  `json:"model"`
	FallbackModels     []string `json:"fallback_models"`
	TeamID             *string  `json:"team_id"`
	TeamAlias          *string  `json:"team_alias"`
	EndUserID          string   `json:"end_user_id"`
	OrganizationID     string   `json:"organization_id"`
	ModifiesGuardrails bool     `json:"modifies_guardrails"`
}

func (a asked) question() usherd.Question {
	return usherd.Question{
		Token: a.Token, Route: a.Route, Method: a.Method, Model: a.Model, FallbackModels: a.FallbackModels,
		TeamID: a.TeamID, TeamAlias: a.TeamAlias, EndUserID: a.EndUserID, OrganizationID: a.OrganizationID,
		ModifiesGuardrails: a.ModifiesGuardrails,
	}
}

func text(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(encoded)
}
