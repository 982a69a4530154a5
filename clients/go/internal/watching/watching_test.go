package watching_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/internal/watching"
	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

// played is an Asker whose watches say what a test wants them to say, one after the other, the last one again and again.
type played struct {
	usherd.Asker
	watches [][]any
	asked   int
}

func (p *played) Watch(ctx context.Context, _ usherd.Question, _ ...usherd.CallOption) iter.Seq2[usherd.Event, error] {
	said := p.watches[min(p.asked, len(p.watches)-1)]
	p.asked++
	return func(yield func(usherd.Event, error) bool) {
		for _, each := range said {
			switch each := each.(type) {
			case usherd.Event:
				if !yield(each, nil) {
					return
				}
			case error:
				yield(usherd.Event{}, each)
				return
			default:
				<-ctx.Done()
				yield(usherd.Event{}, &usherd.Fault{Kind: usherd.Canceled})
				return
			}
		}
	}
}

func decision(t *testing.T, reason usherv1.Reason) usherd.Decision {
	t.Helper()
	wire := &usherv1.Decision{
		Effect: usherv1.Effect_EFFECT_DENY, Reason: reason,
		Principal: &usherv1.Principal{Kind: usherv1.PrincipalKind_PRINCIPAL_KIND_USER},
	}
	if reason == usherv1.Reason_REASON_ALLOWED {
		wire.Effect = usherv1.Effect_EFFECT_ALLOW
	}
	read, err := usherd.ReadDecision(wire)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestWhatIsWatchedIsCutWhenItIsDeniedOrUnknown(t *testing.T) {
	allowed := usherd.Event{Kind: usherd.Decided, Decision: decision(t, usherv1.Reason_REASON_ALLOWED)}
	denied := usherd.Event{Kind: usherd.Changed, Decision: decision(t, usherv1.Reason_REASON_TEAM_BLOCKED)}
	ended := usherd.Event{Kind: usherd.Ended, Decision: decision(t, usherv1.Reason_REASON_TOKEN_REVOKED)}
	fault := &usherd.Fault{Kind: usherd.Unavailable}
	for name, each := range map[string]struct {
		watches [][]any
		reason  string
		asked   int
	}{
		"a denial":             {[][]any{{allowed, denied, allowed}}, "TEAM_BLOCKED", 1},
		"an end":               {[][]any{{allowed, ended}}, "TOKEN_REVOKED", 1},
		"at once":              {[][]any{{denied}}, "TEAM_BLOCKED", 1},
		"unknown":              {[][]any{{allowed, usherd.Event{}}}, "", 1},
		"faults before it":     {[][]any{{fault}, {fault}, {allowed, denied}}, "TEAM_BLOCKED", 3},
		"a fault after it":     {[][]any{{allowed, fault}}, "", 1},
		"an end without event": {[][]any{{allowed}}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			client := &played{watches: each.watches}
			cut, got, err := watching.UntilDenied(context.Background(), client, usherd.Question{})
			if !cut || client.asked != each.asked {
				t.Errorf("cut: %v, asked %d times", cut, client.asked)
			}
			if each.reason != "" && (err != nil || got.Reason() != each.reason) ||
				each.reason == "" && (err == nil || got != usherd.Decision{}) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestWhatCannotBeWatchedIsCutSoon(t *testing.T) {
	t.Parallel()
	client := &played{watches: [][]any{{&usherd.Fault{Kind: usherd.Unavailable}}}}
	began := time.Now()
	cut, _, err := watching.UntilDenied(context.Background(), client, usherd.Question{})
	if took := time.Since(began); !cut || err == nil || took < 3*time.Second || took > 6*time.Second || client.asked < 5 {
		t.Errorf("cut: %v, %v, after %v and %d", cut, err, took, client.asked)
	}
}

func TestWhatIsOverIsNotCut(t *testing.T) {
	for _, watches := range [][][]any{{{nil}}, {{&usherd.Fault{Kind: usherd.Unavailable}}}} {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		if cut, _, err := watching.UntilDenied(ctx, &played{watches: watches}, usherd.Question{}); cut || err != nil {
			t.Errorf("cut: %v, %v", cut, err)
		}
		cancel()
	}
}
