package usherd_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

// warm is a client that has the answer to that question at hand. Its token is about as long as one of Entra ID.
func warm(tb testing.TB) (*usherd.Client, usherd.Question) {
	tb.Helper()
	_, client, here := keeping(tb, time.Hour)
	question := ask(strings.Repeat("x", 1500))
	here.held(client, question, allow("1"))
	return client, question
}

func TestACachedDecisionAllocatesNothing(t *testing.T) {
	client, question := warm(t)
	allocations := testing.AllocsPerRun(1000, func() {
		if decision, err := client.Authorize(context.Background(), question); err != nil || !decision.Allowed() {
			t.Fatal(decision, err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// What a cached decision costs: below 1 µs.
func BenchmarkCachedDecision(b *testing.B) {
	client, question := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		if decision, err := client.Authorize(context.Background(), question); err != nil || !decision.Allowed() {
			b.Fatal(decision, err)
		}
	}
}

func BenchmarkCachedDecisionInParallel(b *testing.B) {
	client, question := warm(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if decision, err := client.Authorize(context.Background(), question); err != nil || !decision.Allowed() {
				b.Error(decision, err)
				return
			}
		}
	})
}

// For comparison: the same question over loopback, to a server that answers at once.
func BenchmarkAskedDecision(b *testing.B) {
	s := newScripted(b)
	client, question := s.client(b), ask(strings.Repeat("x", 1500))
	b.ReportAllocs()
	for b.Loop() {
		if decision, err := client.Authorize(context.Background(), question); err != nil || !decision.Allowed() {
			b.Fatal(decision, err)
		}
	}
}
