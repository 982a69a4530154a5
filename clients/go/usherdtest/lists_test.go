package usherdtest_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdtest"
)

func TestABatchIsAnsweredAsIfEachQuestionWereAskedByItself(t *testing.T) {
	usher := usherdtest.NewServer(t)
	usher.Set("a", usherdtest.Allow())
	usher.Set("b", usherdtest.Deny("TEAM_BLOCKED"))
	usher.Set("c", usherdtest.Fault(codes.Unavailable, "KEYS_UNAVAILABLE"))
	results, err := usher.Client().BatchCheck(context.Background(), "a", []usherd.Question{
		question(""), question("b"), question("c"), question("nobody"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range []string{
		"ALLOW ALLOWED <nil>", "DENY TEAM_BLOCKED <nil>",
		"DENY UNKNOWN usherd: not available (KEYS_UNAVAILABLE)", "DENY NOT_ENTITLED <nil>",
	} {
		if got := fmt.Sprintf("%v %v", results[number].Decision, results[number].Err); got != want {
			t.Errorf("%d: %s", number, got)
		}
	}
	if asked := usher.Asked(); len(asked) != 4 || asked[0].Token != "a" {
		t.Errorf("asked %d", len(asked))
	}
}

func TestModelsAreThoseThatAreAllowed(t *testing.T) {
	usher := usherdtest.NewServer(t, usherdtest.Models("o3", "gpt-4o", "gpt-4o"))
	usher.Answer(func(asked usherd.Question) usherdtest.Answer {
		switch {
		case asked.Token == "down":
			return usherdtest.Fault(codes.Unavailable, "KEYS_UNAVAILABLE")
		case asked.Token == "blocked":
			return usherdtest.Deny("TEAM_BLOCKED")
		case asked.Model != nil && *asked.Model != "gpt-4o":
			return usherdtest.Deny("MODEL_NOT_GRANTED")
		}
		return usherdtest.Allow()
	})
	client := usher.Client()
	for token, want := range map[string]string{
		"a":       "[{gpt-4o gpt-4o}] false DENY UNKNOWN <nil>",
		"blocked": "[] true DENY TEAM_BLOCKED <nil>",
		"down":    "[] false DENY UNKNOWN usherd: not available (KEYS_UNAVAILABLE)",
	} {
		list, err := client.Models(context.Background(), question(token))
		if got := fmt.Sprint(list.Models, list.Denied, list.Denial, err); got != fmt.Sprint(want) {
			t.Errorf("%s: %s", token, got)
		}
	}
}
