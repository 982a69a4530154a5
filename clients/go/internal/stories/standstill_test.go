//go:build stories

package stories

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

// sight is one answer as the other process had it.
type sight struct {
	Asked   int64 // when, in nanoseconds of Unix time
	Hit     bool
	Allowed bool
}

// What was in a buffer while the client's process stood still may be old: nothing of it is served when it goes on.
func TestAClientThatStoodStillBelievesNothingOfBefore(t *testing.T) {
	if target := os.Getenv("USHERD_STORIES_ASK"); target != "" {
		askForEver(target)
	}
	l := start(t).lab(2)
	command := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	command.Env = append(os.Environ(), "USHERD_STORIES_ASK="+l.Grpc)
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
	defer func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}()
	question := l.asks[0]
	if err := json.NewEncoder(input).Encode(asked{
		Token: question.Token, Route: question.Route, Method: question.Method, Model: question.Model,
	}); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	next := func() (seen sight) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the client has ended: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &seen); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		return seen
	}
	until := func(so func(sight) bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !so(next()); {
			if time.Now().After(end) {
				t.Fatal("it never came to that")
			}
		}
	}
	for range 5 {
		until(func(seen sight) bool { return seen.Hit && seen.Allowed })
		if err := command.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		// It is told of the block, and confirmed for a while, with nobody there to hear it.
		l.flip(0, true)
		time.Sleep(2 * l.maxSilence)
		going := time.Now().UnixNano()
		if err := command.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		until(func(seen sight) bool {
			if seen.Asked > going && seen.Allowed {
				t.Errorf("it was allowed %v after it went on", time.Duration(seen.Asked-going))
			}
			return seen.Hit && !seen.Allowed
		})
		l.flip(0, false)
	}
}

// askForEver is the other process.
func askForEver(target string) {
	client, err := usherd.New(target, usherd.WithCache(10), usherd.WithTimeout(5*time.Second))
	var question asked
	if err != nil || json.NewDecoder(os.Stdin).Decode(&question) != nil {
		fmt.Fprintln(os.Stderr, "no question", err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	for {
		before, now := client.Stats().Hits, time.Now().UnixNano()
		decision, _ := client.Authorize(context.Background(), question.question())
		if out.Encode(sight{now, client.Stats().Hits > before, decision.Allowed()}) != nil {
			os.Exit(0)
		}
		time.Sleep(time.Millisecond)
	}
}
