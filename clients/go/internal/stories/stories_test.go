//go:build stories

package stories

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

const (
	// Lists of models are no part of this client, and limits are read from the message.
	without = "?without=models,limits"
	// hears is how long a cache may take to hear of a change.
	hears = 5 * time.Second
)

func TestStoriesAreTrueThroughTheClient(t *testing.T) {
	s := start(t)
	var listed struct {
		Stories []struct {
			ID, Name string
			Steps    int
		}
		LeftOut []struct{ ID, Why string } `json:"left_out"`
	}
	s.call("GET", "/stories"+without, nil, &listed)
	if len(listed.Stories) < 250 {
		t.Fatalf("only %d stories: %v", len(listed.Stories), listed.LeftOut)
	}
	for _, cached := range []bool{false, true} {
		t.Run(fmt.Sprintf("cached=%v", cached), func(t *testing.T) {
			var stats usherd.Stats
			for _, story := range listed.Stories {
				t.Run(story.ID, func(t *testing.T) {
					s.t = t
					s.call("POST", "/stories/"+story.ID+"/begin", struct{}{}, nil)
					options := []usherd.Option{}
					if cached {
						options = append(options, usherd.WithCache(100))
					}
					client := s.client(options...)
					tell(s, client, story.ID, story.Steps, cached)
					told := client.Stats()
					stats.Hits, stats.Misses, stats.Alone = stats.Hits+told.Hits, stats.Misses+told.Misses, stats.Alone+told.Alone
					if err := client.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			t.Logf("%+v", stats)
			if cached != (stats.Hits > 100) {
				t.Errorf("the cache is on: %v, and it did %+v", cached, stats)
			}
		})
	}
	s.t = t
}

// tell tells one story.
func tell(s *storyServer, client *usherd.Client, id string, steps int, cached bool) {
	s.t.Helper()
	patience := time.Duration(0)
	if cached {
		open(s.t, client)
	}
	for number := range steps {
		var step struct {
			Changed bool
			Ask     *asked
			Expect  map[string]any
		}
		s.call("POST", fmt.Sprintf("/stories/%s/steps/%d%s", id, number, without), struct{}{}, &step)
		if step.Changed {
			if cached {
				patience = hears
			}
			continue
		}
		question := step.Ask.question()
		var wrong []string
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			wrong = differences(step.Expect, client, question)
			if cached && len(wrong) == 0 {
				// And again, now from memory if it may be kept.
				wrong = differences(step.Expect, client, question)
			}
			if len(wrong) == 0 || time.Now().After(end) {
				break
			}
		}
		for _, each := range wrong {
			s.t.Errorf("step %d: %s", number, each)
		}
		patience = 0
	}
}

// open asks about nobody, until the client's stream is there.
func open(t *testing.T, client *usherd.Client) {
	t.Helper()
	for end := time.Now().Add(hears); time.Now().Before(end); time.Sleep(time.Millisecond) {
		before := client.Stats()
		_, _ = client.Authorize(context.Background(), usherd.Question{Token: "nobody", Route: "/nowhere"})
		if after := client.Stats(); after.Misses == before.Misses+1 && after.Alone == before.Alone {
			return
		}
	}
	t.Fatal("the stream was never there")
}

// differences are whatever is expected and not so.
func differences(expect map[string]any, client *usherd.Client, question usherd.Question) []string {
	decision, err := client.Authorize(context.Background(), question)
	got := seen(decision, err)
	var wrong []string
	if _, expected := expect["fault"]; err != nil && !expected {
		wrong = append(wrong, fmt.Sprintf("a fault: %v", err))
	}
	for name, want := range expect {
		value, known := got[name]
		switch {
		case !known:
			wrong = append(wrong, "the runner does not know "+name)
		case plain(value) != plain(want):
			wrong = append(wrong, fmt.Sprintf("%s: got %s, want %s", name, plain(value), plain(want)))
		}
	}
	return wrong
}

// seen is what can be seen of an answer, in the words of stories.
func seen(decision usherd.Decision, err error) map[string]any {
	who, _ := decision.Principal()
	claims := map[string]any{}
	for _, claim := range who.Claims {
		claims[claim.Name] = json.RawMessage(claim.JSON)
	}
	words := map[string]any{
		"effect": "DENY", "reason": decision.Reason(), "http_status": decision.HTTPStatus(),
		"www_authenticate": decision.WWWAuthenticate(), "resolved_model": decision.ResolvedModel(),
		"kind": who.Kind, "issuer": who.Issuer, "subject": who.Subject, "client": who.Client, "user": who.UserID,
		"email": who.Email, "directory_role": who.DirectoryRole, "admin": who.IsAdmin, "roles": who.Roles,
		"scopes": who.Scopes, "team": who.TeamID, "team_alias": who.TeamAlias, "organization": who.OrganizationID,
		"end_user": who.EndUserID, "claims": claims, "fault": nil,
	}
	if decision.Allowed() {
		words["effect"] = "ALLOW"
	}
	var fault *usherd.Fault
	if errors.As(err, &fault) {
		for name := range words {
			words[name] = nil
		}
		words["fault"] = fault.Reason
	}
	return words
}

// plain is a value as JSON. What is empty is not there.
func plain(value any) string {
	switch shown := text(value); shown {
	case `""`, "[]", "{}", "null":
		return "null"
	default:
		var again any
		if json.Unmarshal([]byte(shown), &again) != nil {
			return shown
		}
		return text(again)
	}
}
