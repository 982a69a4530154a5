package usherd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

type batchResult = usherv1.BatchCheckResponse_Result

func batchDecision(id string, decision *usherv1.Decision) *batchResult {
	return &batchResult{Id: id, Result: &usherv1.BatchCheckResponse_Result_Decision{Decision: decision}}
}

func batchFault(id string, fault *usherv1.Fault) *batchResult {
	return &batchResult{Id: id, Result: &usherv1.BatchCheckResponse_Result_Fault{Fault: fault}}
}

// answering has a batch answered with these results.
func answering(results ...*batchResult) func(
	context.Context, *usherv1.BatchCheckRequest,
) (*usherv1.BatchCheckResponse, error) {
	return func(context.Context, *usherv1.BatchCheckRequest) (*usherv1.BatchCheckResponse, error) {
		return &usherv1.BatchCheckResponse{Results: results}, nil
	}
}

func TestABatchHasADecisionOrAFaultForEachQuestionInTheirOrder(t *testing.T) {
	s := newScripted(t)
	var got *usherv1.BatchCheckRequest
	unclear, unknown := allow("4"), allow("5")
	unclear.Effect, unknown.Reason = usherv1.Effect_EFFECT_UNSPECIFIED, 7
	s.batch = func(_ context.Context, request *usherv1.BatchCheckRequest) (*usherv1.BatchCheckResponse, error) {
		got = request
		return &usherv1.BatchCheckResponse{Results: []*batchResult{
			batchDecision("0", allow("1")),
			batchDecision("1", deny("2", usherv1.Reason_REASON_TEAM_BLOCKED)),
			batchFault("2", &usherv1.Fault{
				Code: usherv1.Code_CODE_UNAVAILABLE, Reason: usherv1.FaultReason_FAULT_REASON_KEYS_UNAVAILABLE,
				RetryAfter: durationpb.New(2 * time.Second),
			}),
			batchFault("3", &usherv1.Fault{}),
			batchDecision("4", unclear),
			batchDecision("5", unknown),
			batchDecision("6", nil),
			{Id: "7"},
		}}, nil
	}
	questions := make([]usherd.Question, 8)
	for number := range questions {
		questions[number] = ask("")
	}
	questions[1].Token = "another"
	results, err := s.client(t).BatchCheck(
		context.Background(), "shared", questions, usherd.RequestID("r1"), usherd.AtLeastAsFresh("x:1"), usherd.Explain(),
	)
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range []string{
		"ALLOW ALLOWED true <nil>",
		"DENY TEAM_BLOCKED false <nil>",
		"DENY UNKNOWN false usherd: not available (KEYS_UNAVAILABLE)",
		"DENY UNKNOWN false usherd: internal error",
		"DENY UNKNOWN false usherd: the answer is not a decision",
		"DENY UNKNOWN false usherd: the answer is not a decision",
		"DENY UNKNOWN false usherd: the answer is not a decision",
		"DENY UNKNOWN false usherd: the answer is not a decision",
	} {
		each := results[number]
		if said := fmt.Sprintln(each.Decision, each.Allowed(), each.Err); said != want+"\n" {
			t.Errorf("%d: %s", number, said)
		}
	}
	if fault, ok := results[2].Err.(*usherd.Fault); !ok || !fault.Advised || fault.RetryAfter != 2*time.Second {
		t.Errorf("advice: %#v", results[2].Err)
	}
	if got.GetToken() != "shared" || len(got.GetItems()) != 8 || got.GetItems()[1].GetQuestion().GetToken() != "another" ||
		got.GetItems()[7].GetId() != "7" || got.GetItems()[7].GetQuestion().GetToken() != "" {
		t.Error("the questions are not those that were asked")
	}
	if sent := got.GetOptions(); sent.GetRequestId() != "r1" || sent.GetAtLeastAsFresh() != "x:1" || !sent.GetExplain() {
		t.Errorf("options: %v", sent)
	}
	if new(usherd.Result).Allowed() || (usherd.Result{Decision: results[0].Decision, Err: results[3].Err}).Allowed() {
		t.Error("what is no result, or has a fault, is allowed")
	}
}

func TestABatchWhoseResultsAreNotThoseOfItsQuestionsHasNone(t *testing.T) {
	for name, results := range map[string][]*batchResult{
		"none":         nil,
		"too few":      {batchDecision("0", allow("1"))},
		"too many":     {batchDecision("0", allow("1")), batchDecision("1", allow("2")), batchDecision("2", allow("3"))},
		"another's":    {batchDecision("0", allow("1")), batchDecision("x", allow("2"))},
		"doubled":      {batchDecision("0", allow("1")), batchDecision("0", allow("2"))},
		"out of order": {batchDecision("1", allow("1")), batchDecision("0", allow("2"))},
		"a nil one":    {batchDecision("0", allow("1")), {}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t)
			s.batch = answering(results...)
			got, err := s.client(t).BatchCheck(context.Background(), "", []usherd.Question{ask("a"), ask("b")})
			if got != nil || kindOf(err) != usherd.BadAnswer {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestABatchThatMayNotBeSentIsNotSent(t *testing.T) {
	s := newScripted(t)
	s.batch = func(context.Context, *usherv1.BatchCheckRequest) (*usherv1.BatchCheckResponse, error) {
		t.Error("it was sent")
		return nil, nil
	}
	client := s.client(t)
	both := ask("a")
	both.TeamID, both.TeamAlias = new(string), new(string)
	for name, each := range map[string]struct {
		questions []usherd.Question
		options   []usherd.CallOption
	}{
		"none":               {nil, nil},
		"too many":           {make([]usherd.Question, 1001), nil},
		"two wishes":         {[]usherd.Question{ask("a"), both}, nil},
		"a deadline of 0":    {[]usherd.Question{ask("a")}, []usherd.CallOption{usherd.Timeout(0)}},
		"a deadline too far": {[]usherd.Question{ask("a")}, []usherd.CallOption{usherd.Timeout(time.Hour)}},
	} {
		if got, err := client.BatchCheck(context.Background(), "", each.questions, each.options...); got != nil ||
			kindOf(err) != usherd.InvalidRequest {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	_ = client.Close()
	if _, err := client.BatchCheck(context.Background(), "", []usherd.Question{ask("a")}); kindOf(err) != usherd.Closed {
		t.Errorf("a client that is closed: %v", err)
	}
}

func TestABatchEndsWithItsDeadlineOrItsContext(t *testing.T) {
	s := newScripted(t)
	s.batch = func(ctx context.Context, _ *usherv1.BatchCheckRequest) (*usherv1.BatchCheckResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	client, question := s.client(t), []usherd.Question{ask("a")}
	_, err := client.BatchCheck(context.Background(), "", question, usherd.Timeout(50*time.Millisecond))
	if kindOf(err) != usherd.OutOfTime {
		t.Errorf("its deadline: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := client.BatchCheck(ctx, "", question); kindOf(err) != usherd.Canceled {
		t.Errorf("its context: %v", err)
	}
}

func TestABatchIsAskedAgainOnlyWhenTheServerIsNotAvailable(t *testing.T) {
	s := newScripted(t)
	for _, each := range []struct {
		code  codes.Code
		kind  usherd.FaultKind
		asked int
	}{
		{codes.PermissionDenied, usherd.CallerNotAllowed, 1},
		{codes.ResourceExhausted, usherd.Overloaded, 1},
		{codes.Unavailable, usherd.Unavailable, 3},
	} {
		asked := 0
		s.batch = func(context.Context, *usherv1.BatchCheckRequest) (*usherv1.BatchCheckResponse, error) {
			asked++
			return nil, status.Error(each.code, "secret-text")
		}
		results, err := s.client(t).BatchCheck(context.Background(), "", []usherd.Question{ask("a")})
		if results != nil || kindOf(err) != each.kind || asked != each.asked || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v, %v, asked %d times", each.code, results, err, asked)
		}
	}
}

func TestABatchLeavesTheCacheAlone(t *testing.T) {
	s, client, here := keeping(t, long)
	here.held(client, ask("a"), allow("1"))
	before := client.Stats()
	s.batch = answering(
		batchDecision("0", deny("2", usherv1.Reason_REASON_TEAM_BLOCKED)), batchDecision("1", allow("3")),
	)
	results, err := client.BatchCheck(context.Background(), "", []usherd.Question{ask("a"), ask("b")})
	if err != nil || results[0].Allowed() || !results[1].Allowed() {
		t.Fatalf("%v, %v", results, err)
	}
	if after := client.Stats(); after != before {
		t.Errorf("before %+v, after %+v", before, after)
	}
	expect(t, client, ask("a"), "ALLOW ALLOWED 1")
}

func TestNothingThatAnEndUserChoseIsAFaultOfTheBatch(t *testing.T) {
	s := newScripted(t)
	s.batch = func(_ context.Context, request *usherv1.BatchCheckRequest) (*usherv1.BatchCheckResponse, error) {
		question := request.GetItems()[0].GetQuestion()
		if question.GetToken() != "\x00" || len(question.GetRoute()) != 16<<10+1 || len(request.GetToken()) != 64<<10+1 {
			t.Errorf("%d %d %d", len(question.GetToken()), len(question.GetRoute()), len(request.GetToken()))
		}
		return &usherv1.BatchCheckResponse{Results: []*batchResult{batchDecision("0", allow("1"))}}, nil
	}
	question := usherd.Question{Token: "\xff", Route: strings.Repeat("/x", 10_000)}
	if _, err := s.client(t).BatchCheck(
		context.Background(), strings.Repeat("t", 100_000), []usherd.Question{question},
	); err != nil {
		t.Error(err)
	}
}
