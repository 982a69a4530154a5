//go:build stories

package stories

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

const (
	// hears is how long a cache may take to hear of a change.
	hears = 5 * time.Second
	// lives is how long its stream may take to be there.
	lives = time.Second
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
	for _, cached := range []bool{false, true} {
		t.Run(fmt.Sprintf("cached=%v", cached), func(t *testing.T) {
			s.t = t
			s.call("GET", "/stories", nil, &listed)
			if len(listed.Stories) < 260 {
				t.Fatalf("only %d stories: %v", len(listed.Stories), listed.LeftOut)
			}
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
	patience, first := time.Duration(0), true
	for number := range steps {
		var step struct {
			Changed bool
			Ask     *asked
			Expect  map[string]any
		}
		s.call("POST", fmt.Sprintf("/stories/%s/steps/%d", id, number), struct{}{}, &step)
		if step.Changed {
			if cached {
				patience = hears
			}
			continue
		}
		question := step.Ask.question()
		wrong := differences(step.Expect, client, question)
		for end := time.Now().Add(patience); len(wrong) > 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			wrong = differences(step.Expect, client, question)
		}
		if cached && len(wrong) == 0 {
			// And again, now from memory if it may be kept.
			wrong = again(step.Expect, client, question, first)
		}
		for _, each := range wrong {
			s.t.Errorf("step %d: %s", number, each)
		}
		patience, first = 0, false
	}
}

// again asks once more; at first, until the client's stream is there. The answer is the same all the while.
func again(expect map[string]any, client *usherd.Client, question usherd.Question, first bool) []string {
	for end := time.Now().Add(lives); time.Now().Before(end); time.Sleep(time.Millisecond) {
		before := client.Stats()
		wrong := differences(expect, client, question)
		if after := client.Stats(); len(wrong) > 0 || !first || after.Alone == before.Alone {
			return wrong
		}
	}
	// There are questions that are always asked by themselves.
	return nil
}

// differences are whatever is expected and not so.
func differences(expect map[string]any, client *usherd.Client, question usherd.Question) []string {
	decision, err := client.Authorize(context.Background(), question)
	got := seen(decision, err)
	if _, expected := expect["models"]; expected {
		got["models"] = listed(client, question)
	}
	var wrong []string
	if _, expected := expect["fault"]; err != nil && !expected {
		wrong = append(wrong, fmt.Sprintf("a fault: %v", err))
	}
	for name, want := range expect {
		value, known := got[name]
		switch {
		case !known:
			wrong = append(wrong, "the runner does not know "+name)
		case !fits(decoded(value), want):
			wrong = append(wrong, fmt.Sprintf("%s: got %s, want %s", name, text(value), text(want)))
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
		"end_user": who.EndUserID, "claims": claims, "limits": limits(decision), "fault": nil,
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

// listed are the names of the models that may be called.
func listed(client *usherd.Client, question usherd.Question) any {
	list, err := client.Models(context.Background(), question)
	if err != nil {
		return err.Error()
	}
	names := []string{}
	for _, each := range list.Models {
		names = append(names, each.Name)
	}
	return names
}

func limits(decision usherd.Decision) map[string]any {
	words := map[string]any{}
	set := decision.Wire().GetLimits()
	for name, limit := range map[string]*usherv1.Limit{
		"team": set.GetTeam(), "user": set.GetUser(), "member": set.GetMember(),
	} {
		if limit == nil {
			continue
		}
		row := map[string]any{
			"tpm": limit.Tpm, "rpm": limit.Rpm, "max_budget": limit.MaxBudgetMicroUsd, "models": limit.GetModels(),
		}
		if limit.GetBudgetReset() != nil {
			row["budget_period"] = limit.GetBudgetReset().AsDuration().Seconds()
		}
		words[name] = row
	}
	return words
}

// decoded is a value as JSON has it.
func decoded(value any) any {
	var again any
	_ = json.Unmarshal([]byte(text(value)), &again)
	return again
}

// fits compares values as JSON has them. What is empty is not there, and members that are not wanted do not matter.
func fits(got, want any) bool {
	wanted, isMap := want.(map[string]any)
	has, hasMap := got.(map[string]any)
	if !isMap || !hasMap {
		return plain(got) == plain(want)
	}
	for name, value := range wanted {
		if !fits(has[name], value) {
			return false
		}
	}
	return true
}

func plain(value any) string {
	switch shown := text(value); shown {
	case `""`, "[]", "{}":
		return "null"
	default:
		return shown
	}
}
