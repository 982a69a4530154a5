package usherd_test

import (
	"context"
	"fmt"

	"github.com/usherd/usherd/clients/go/internal/exampletest"
	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdtest"
)

// One question, and the three things that an answer can be.
func ExampleClient_Authorize() {
	t := new(exampletest.T)
	defer t.End()
	usher := usherdtest.NewServer(t) // yours is where usherd runs: usherd.New("localhost:50051")
	usher.Set("alice-token", usherdtest.Allow())
	client := usher.Client(usherd.WithCache(10_000))

	model := "gpt-4o"
	for _, token := range []string{"alice-token", "another"} {
		decision, err := client.Authorize(context.Background(), usherd.Question{
			Token: token, Route: "/v1/chat/completions", Method: "POST", Model: &model,
		})
		switch {
		case err != nil: // a *usherd.Fault: no decision. The request may not pass
			fmt.Println("no decision:", err)
		case !decision.Allowed():
			fmt.Println("denied:", decision.Reason(), decision.HTTPStatus())
		default:
			fmt.Println("allowed:", decision.ResolvedModel())
		}
	}
	// Output:
	// allowed: gpt-4o
	// denied: NOT_ENTITLED 403
}

// What becomes of a decision while something runs on it.
func ExampleClient_Watch() {
	t := new(exampletest.T)
	defer t.End()
	usher := usherdtest.NewServer(t)
	usher.Set("alice-token", usherdtest.Allow())
	client := usher.Client()

	for event, err := range client.Watch(context.Background(), usherd.Question{Token: "alice-token", Route: "/v1/models"}) {
		if err != nil {
			fmt.Println("no decision:", err)
			break
		}
		fmt.Println(event.Kind, event.Decision)
		if event.Kind == usherd.Decided {
			usher.Revoke("alice-token")
		}
	}
	// Output:
	// decided ALLOW ALLOWED
	// ended DENY TOKEN_REVOKED
}

func ExampleClient_BatchCheck() {
	t := new(exampletest.T)
	defer t.End()
	usher := usherdtest.NewServer(t)
	usher.Answer(func(asked usherd.Question) usherdtest.Answer {
		if *asked.Model == "gpt-4o" {
			return usherdtest.Allow()
		}
		return usherdtest.Deny("MODEL_NOT_GRANTED")
	})
	var questions []usherd.Question
	for _, model := range []string{"gpt-4o", "o3"} {
		questions = append(questions, usherd.Question{Route: "/v1/chat/completions", Method: "POST", Model: &model})
	}
	results, err := usher.Client().BatchCheck(context.Background(), "alice-token", questions)
	if err != nil {
		fmt.Println("nothing may pass:", err)
	}
	for number, each := range results {
		fmt.Println(*questions[number].Model, each.Allowed(), each.Decision.Reason(), each.Err)
	}
	// Output:
	// gpt-4o true ALLOWED <nil>
	// o3 false MODEL_NOT_GRANTED <nil>
}
