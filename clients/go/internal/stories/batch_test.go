//go:build stories

package stories

import (
	"context"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

// usherd itself answers a batch as it answers its questions one by one.
func TestABatchIsAnsweredAsItsQuestionsAre(t *testing.T) {
	l := start(t).lab(3)
	client := l.client()
	t.Cleanup(func() { _ = client.Close() })
	l.flip(1, true)
	questions := append([]usherd.Question{}, l.asks...)
	forged := l.asks[0]
	forged.Token += "x"
	shared := l.asks[2]
	shared.Token = ""
	questions = append(questions, forged, shared)
	results, err := client.BatchCheck(context.Background(), l.asks[2].Token, questions)
	if err != nil {
		t.Fatal(err)
	}
	questions[4].Token = l.asks[2].Token
	for number, want := range []bool{true, false, true, false, true} {
		alone, err := client.Authorize(context.Background(), questions[number])
		if err != nil || results[number].Err != nil {
			t.Fatalf("%d: %v, %v", number, err, results[number].Err)
		}
		if got := results[number]; got.Allowed() != want || got.Decision.Reason() != alone.Reason() {
			t.Errorf("%d: %v, alone %v", number, got.Decision, alone)
		}
	}
	// A blocked team lists nothing, and a forged token is denied whatever the model.
	for number, denied := range []bool{0: false, 1: false, 3: true} {
		list, err := client.Models(context.Background(), questions[number])
		if err != nil || list.Denied != denied || denied && list.Denial.Reason() != results[number].Decision.Reason() {
			t.Errorf("%d: %+v, %v", number, list, err)
		}
	}
}

func TestTheLargestBatchIsAnswered(t *testing.T) {
	l := start(t).lab(1)
	client := l.client(usherd.WithTimeout(30 * time.Second))
	t.Cleanup(func() { _ = client.Close() })
	questions := make([]usherd.Question, 1000)
	for number := range questions {
		questions[number] = l.asks[0]
		questions[number].Token = ""
	}
	results, err := client.BatchCheck(context.Background(), l.asks[0].Token, questions, usherd.Explain())
	if err != nil {
		t.Fatal(err)
	}
	for number, each := range results {
		if !each.Allowed() {
			t.Fatalf("%d: %v, %v", number, each.Decision, each.Err)
		}
	}
}
