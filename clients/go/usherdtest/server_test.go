package usherdtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdtest"
)

func question(token string) usherd.Question {
	return usherd.Question{Token: token, Route: "/v1/models"}
}

// known asks until the answer comes from memory.
func known(t *testing.T, client *usherd.Client, token string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		before := client.Stats().Hits
		if _, err := client.Authorize(context.Background(), question(token)); err != nil {
			t.Fatal(err)
		}
		if client.Stats().Hits > before {
			return
		}
	}
	t.Fatalf("it is never kept: %+v", client.Stats())
}

func eventually(t *testing.T, client *usherd.Client, token, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		decision, err := client.Authorize(context.Background(), question(token))
		if got = decision.Reason(); err != nil {
			got = err.Error()
		}
		if got == want {
			return
		}
	}
	t.Errorf("got %s, want %s", got, want)
}

func TestACacheHearsWhatTheServerIsTold(t *testing.T) {
	usher := usherdtest.NewServer(t)
	usher.Set("a", usherdtest.Allow())
	client := usher.Client(usherd.WithCache(10), usherd.WithTimeout(10*time.Second))
	known(t, client, "a")
	asked := len(usher.Asked())
	known(t, client, "a")
	if len(usher.Asked()) != asked {
		t.Error("what is known was asked")
	}
	usher.Set("a", usherdtest.Deny("TEAM_BLOCKED"))
	eventually(t, client, "a", "TEAM_BLOCKED")
	usher.Set("a", usherdtest.Allow())
	eventually(t, client, "a", "ALLOWED")
	usher.Answer(func(question usherd.Question) usherdtest.Answer {
		if question.Token == "b" {
			return usherdtest.Allow()
		}
		return usherdtest.Deny("TOKEN_EXPIRED")
	})
	eventually(t, client, "b", "ALLOWED")
	eventually(t, client, "c", "TOKEN_EXPIRED")
	usher.Set("a", usherdtest.Fault(codes.Unavailable, "KEYS_UNAVAILABLE"))
	eventually(t, client, "a", "usherd: not available (KEYS_UNAVAILABLE)")
	usher.Revoke("b")
	eventually(t, client, "b", "TOKEN_REVOKED")
	if stats := client.Stats(); stats.Changed < 2 || stats.Ended != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestAServerThatBreaksOrHangsIsNotBelieved(t *testing.T) {
	usher := usherdtest.NewServer(t, usherdtest.MaxSilence(150*time.Millisecond))
	usher.Set("a", usherdtest.Allow())
	client := usher.Client(usherd.WithCache(10), usherd.WithTimeout(10*time.Second))
	known(t, client, "a")
	usher.Break()
	for client.Stats().StreamsLost == 0 {
		time.Sleep(time.Millisecond)
	}
	known(t, client, "a")
	usher.Mute(true)
	for client.Stats().Silences == 0 {
		time.Sleep(time.Millisecond)
	}
	usher.Mute(false)
	known(t, client, "a")
}

func TestADenialThatTheContractDoesNotKnowIsNone(t *testing.T) {
	for _, reason := range []string{"", "ALLOWED", "PUBLIC_ROUTE", "UNSPECIFIED", "NO_SUCH"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", reason)
				}
			}()
			usherdtest.Deny(reason)
		}()
	}
}

func TestAnswersSayWhatTheyWereToldToSay(t *testing.T) {
	usher := usherdtest.NewServer(t)
	end := time.Now().Add(time.Minute).Truncate(time.Second)
	usher.Set("a", usherdtest.Allow().Resolved("m").Until(end).NotKept().For(usherd.Principal{
		Kind: "SERVICE", Subject: "s", Roles: []string{"r"}, Claims: []usherd.Claim{{Name: "n", JSON: "1"}},
	}))
	usher.Set("f", usherdtest.Fault(codes.ResourceExhausted, "OVERLOADED"))
	client := usher.Client(usherd.WithTimeout(10 * time.Second))
	decision, err := client.Authorize(context.Background(), question("a"))
	who, _ := decision.Principal()
	if err != nil || decision.ResolvedModel() != "m" || !decision.ValidUntil().Equal(end) || decision.Cacheable() ||
		who.Kind != "SERVICE" || who.Subject != "s" || who.Roles[0] != "r" || who.Claims[0].JSON != "1" {
		t.Errorf("got %v, %v", decision, err)
	}
	var fault *usherd.Fault
	_, err = client.Authorize(context.Background(), question("f"))
	if !errors.As(err, &fault) || fault.Kind != usherd.Overloaded || fault.Reason != "OVERLOADED" {
		t.Errorf("got %v", err)
	}
}
