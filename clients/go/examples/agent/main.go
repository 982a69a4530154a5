// Command agent does something for a user for as long as usherd allows it: it prints a line a second until the token in
// USER_TOKEN is revoked, expires, or nothing can be learned about it any more.
//
//	USER_TOKEN=... agent -usherd localhost:50051 -model gpt-4o
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

func main() {
	usher := flag.String("usherd", "localhost:50051", "where usherd runs")
	model := flag.String("model", "gpt-4o", "the model that the agent calls")
	flag.Parse()
	if err := run(*usher, *model, os.Getenv("USER_TOKEN")); err != nil {
		log.Fatal(err)
	}
}

func run(usher, model, token string) error {
	client, err := usherd.New(usher)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	question := usherd.Question{Token: token, Route: "/v1/chat/completions", Method: "POST", Model: &model}
	working := func() {}
	defer func() { working() }()
	for event, err := range client.Watch(ctx, question) {
		if err != nil {
			return err
		}
		fmt.Println(event.Kind, event.Decision, event.Cause)
		working()
		working = func() {}
		if event.Allowed() {
			working = work(ctx)
		}
	}
	return nil
}

// work goes on until the function that it returns is called.
func work(ctx context.Context) context.CancelFunc {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for ticker := time.Tick(time.Second); ; {
			select {
			case <-ticker:
				fmt.Println("working")
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}
