package usherd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

type authorizeStream = grpc.ServerStreamingServer[usherv1.AuthorizeResponse]

func TestAnAllowanceADenialAndAFaultAreToldApart(t *testing.T) {
	s := newScripted(t)
	client := s.client(t)
	expect(t, client, ask("a"), "ALLOW ALLOWED alone")

	s.authorize = func(_ *usherv1.AuthorizeRequest, out authorizeStream) error {
		return out.Send(answer(deny("d", usherv1.Reason_REASON_TEAM_BLOCKED)))
	}
	got := get(t, later(client, ask("a")))
	if got.err != nil || got.decision.Allowed() || got.decision.Reason() != "TEAM_BLOCKED" {
		t.Errorf("a denial: %v", got)
	}

	s.authorize = func(*usherv1.AuthorizeRequest, authorizeStream) error {
		failed, err := status.New(codes.FailedPrecondition, "secret-text").WithDetails(
			&errdetails.ErrorInfo{Reason: "KEYS_UNAVAILABLE", Domain: "usher.v1"},
			&errdetails.RetryInfo{RetryDelay: durationpb.New(2 * time.Second)},
		)
		if err != nil {
			return err
		}
		return failed.Err()
	}
	got = get(t, later(client, ask("a")))
	var fault *usherd.Fault
	if !errors.As(got.err, &fault) || fault.Kind != usherd.Precondition || fault.Reason != "KEYS_UNAVAILABLE" ||
		fault.RetryAfter != 2*time.Second || !fault.Advised || got.decision.Allowed() {
		t.Errorf("a fault: %#v", got.err)
	}
	if strings.Contains(got.err.Error(), "secret-text") {
		t.Errorf("it has the server's text: %v", got.err)
	}
}

func TestOnlyTheTwoReasonsThatAllowAllow(t *testing.T) {
	for number := range int32(1_000) {
		wire := allow("a")
		wire.Reason = usherv1.Reason(number)
		decision, err := usherd.ReadDecision(wire)
		if allows := number == 1 || number == 2; allows != decision.Allowed() || allows != (err == nil) {
			t.Fatalf("reason %d: %v, %v", number, decision, err)
		}
	}
}

func TestWhatIsNoDecisionByTheContractIsAFault(t *testing.T) {
	bad := map[string]func(*usherv1.Decision){
		"no effect":                  func(d *usherv1.Decision) { d.Effect = 0 },
		"an unknown effect":          func(d *usherv1.Decision) { d.Effect = 7 },
		"no reason":                  func(d *usherv1.Decision) { d.Reason = 0 },
		"an allowance for a denial":  func(d *usherv1.Decision) { d.Reason = usherv1.Reason_REASON_TEAM_BLOCKED },
		"an allowance of nobody":     func(d *usherv1.Decision) { d.Principal = nil },
		"an allowance of no kind":    func(d *usherv1.Decision) { d.Principal.Kind = 0 },
		"a denial for an allowance":  func(d *usherv1.Decision) { d.Effect = usherv1.Effect_EFFECT_DENY },
		"a denial without a reason":  func(d *usherv1.Decision) { d.Effect, d.Reason = usherv1.Effect_EFFECT_DENY, 0 },
		"a denial that may allow":    func(d *usherv1.Decision) { d.Effect, d.Reason = usherv1.Effect_EFFECT_DENY, 9 },
		"an unknown allowing reason": func(d *usherv1.Decision) { d.Reason = 3 },
	}
	for name, spoil := range bad {
		t.Run(name, func(t *testing.T) {
			wire := allow("a")
			spoil(wire)
			if decision, err := usherd.ReadDecision(wire); kindOf(err) != usherd.BadAnswer || decision.Allowed() {
				t.Errorf("%v, %v", decision, err)
			}
		})
	}
	if decision, err := usherd.ReadDecision(nil); kindOf(err) != usherd.BadAnswer || decision.Allowed() {
		t.Errorf("none at all: %v, %v", decision, err)
	}
}

func TestADenialForAReasonOfTheFutureIsADenial(t *testing.T) {
	wire := deny("d", 999)
	wire.HttpStatus = 200
	decision, err := usherd.ReadDecision(wire)
	if err != nil || decision.Allowed() || decision.Reason() != "UNKNOWN" || decision.HTTPStatus() != 403 {
		t.Errorf("%v %d, %v", decision, decision.HTTPStatus(), err)
	}
}

func TestTheZeroDecisionIsADenial(t *testing.T) {
	var zero usherd.Decision
	principal, known := zero.Principal()
	if zero.Allowed() || zero.Cacheable() || zero.HTTPStatus() != 403 || known || principal.Subject != "" ||
		zero.Wire().GetEffect() != 0 || (usherd.Event{}).Allowed() {
		t.Error("the zero Decision allows something")
	}
}

func TestAnAllowanceCountsOnlyWhenTheCallEndsWithOK(t *testing.T) {
	endings := map[string]struct {
		end  func(authorizeStream) error
		want usherd.FaultKind
	}{
		"an error":        {func(authorizeStream) error { return status.Error(codes.Internal, "") }, usherd.Internal},
		"another message": {func(out authorizeStream) error { return out.Send(answer(allow("b"))) }, usherd.BadAnswer},
		"nothing": {func(out authorizeStream) error {
			<-out.Context().Done()
			return out.Context().Err()
		}, usherd.OutOfTime},
	}
	for name, each := range endings {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t)
			s.authorize = func(_ *usherv1.AuthorizeRequest, out authorizeStream) error {
				if err := out.Send(answer(allow("a"))); err != nil {
					return err
				}
				return each.end(out)
			}
			client := s.client(t, usherd.WithTimeout(300*time.Millisecond))
			if got := get(t, later(client, ask("a"))); kindOf(got.err) != each.want || got.decision.Allowed() {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAnAnswerThatIsServedInAnotherModeIsAFault(t *testing.T) {
	for _, mode := range []usherv1.Mode{usherv1.Mode_MODE_WATCH, 9} {
		s := newScripted(t)
		s.authorize = func(_ *usherv1.AuthorizeRequest, out authorizeStream) error {
			message := answer(allow("a"))
			message.Terms.Mode = mode
			return out.Send(message)
		}
		if got := get(t, later(s.client(t), ask("a"))); kindOf(got.err) != usherd.BadAnswer {
			t.Errorf("mode %d: %v", mode, got)
		}
	}
}

func TestWhatAnEndUserChoosesIsNeverAnErrorOfTheClient(t *testing.T) {
	s := newScripted(t)
	asked := make(chan *usherv1.Question, 1)
	s.authorize = func(request *usherv1.AuthorizeRequest, out authorizeStream) error {
		asked <- request.GetQuestion()
		return out.Send(answer(deny("d", usherv1.Reason_REASON_MODEL_INVALID)))
	}
	client := s.client(t)
	long, broken := strings.Repeat("ä", 1<<20), "a\xff"
	many := make([]string, 1000)
	for _, value := range []string{long, broken, "x" + long} {
		question := usherd.Question{
			Token: value, Route: value, Method: value, Model: &value, FallbackModels: append([]string{value}, many...),
			TeamID: &value, EndUserID: value, OrganizationID: value,
		}
		if _, err := client.Authorize(context.Background(), question); err != nil {
			t.Fatal(err)
		}
		got := <-asked
		for _, text := range []string{
			got.GetToken(), got.GetRoute(), got.GetMethod(), got.GetModel(), got.GetFallbackModels()[0],
			got.GetTeamId(), got.GetEndUserId(), got.GetOrganizationId(),
		} {
			if text != "\x00" && len(text) <= 1020 {
				t.Errorf("it became %d bytes", len(text))
			}
		}
		if len(got.GetFallbackModels()) != 17 {
			t.Errorf("%d fallbacks", len(got.GetFallbackModels()))
		}
	}
	both := usherd.Question{Route: chat, TeamID: new(string), TeamAlias: new(string)}
	if _, err := client.Authorize(context.Background(), both); kindOf(err) != usherd.InvalidRequest {
		t.Errorf("two wishes: %v", err)
	}
}

func TestNothingThatIsPrintedShowsATokenAClaimOrAQuestion(t *testing.T) {
	decision, err := usherd.ReadDecision(allow("a"))
	if err != nil {
		t.Fatal(err)
	}
	principal, _ := decision.Principal()
	principal.Claims = []usherd.Claim{{Name: "secret", JSON: `"secret"`}}
	question := ask("secret-token")
	question.EndUserID, question.Route = "secret-user", "/secret"
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	plain := slog.New(slog.NewTextHandler(&out, nil))
	event := usherd.Event{Kind: usherd.Decided, Decision: decision}
	result, list := usherd.Result{Decision: decision}, usherd.ModelList{Denied: true, Denial: decision}
	for _, each := range []any{
		question, &question, decision, &decision, principal, principal.Claims, event, &event, result, &result, list,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb+"\n", each)
		}
		fmt.Fprintln(&out, each)
		log.Info("it", "value", each)
		plain.Info("it", "value", each)
	}
	if err := json.NewEncoder(&out).Encode([]any{question, decision, principal, event}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"secret", "736563726574"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is shown: %s", secret, out.String())
		}
	}
}
