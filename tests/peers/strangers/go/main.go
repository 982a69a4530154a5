// A stranger's program: asks usherd with the Go client, and prints what came, one JSON line a call.
//
//	stranger TARGET ROUTE MODEL < tokens
//
// Standard input holds one token a line. Each is asked about by itself, from the cache, and in a batch.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/usherd/usherd/clients/go/usherd"
)

type line struct {
	Call        string `json:"call"`
	Allowed     bool   `json:"allowed"`
	Reason      string `json:"reason"`
	HTTPStatus  int    `json:"http_status"`
	Unavailable bool   `json:"unavailable"`
	FaultReason string `json:"fault_reason"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 4 {
		return errors.New("usage: stranger TARGET ROUTE MODEL < tokens")
	}
	client, err := usherd.New(os.Args[1], usherd.WithCache(10), usherd.WithTimeout(10*time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	lines, tokens := json.NewEncoder(os.Stdout), bufio.NewScanner(os.Stdin)
	for tokens.Scan() {
		question := usherd.Question{Token: tokens.Text(), Route: os.Args[2], Method: "POST", Model: &os.Args[3]}
		for _, call := range []string{"authorize", "again"} {
			decision, err := client.Authorize(context.Background(), question)
			if err := lines.Encode(told(call, decision, err)); err != nil {
				return err
			}
		}
		results, err := client.BatchCheck(context.Background(), "", []usherd.Question{question})
		if err != nil {
			return err
		}
		if err := lines.Encode(told("batch", results[0].Decision, results[0].Err)); err != nil {
			return err
		}
	}
	return tokens.Err()
}

func told(call string, decision usherd.Decision, err error) line {
	var fault *usherd.Fault
	if errors.As(err, &fault) {
		return line{Call: call, Unavailable: fault.Kind == usherd.Unavailable, FaultReason: fault.Reason}
	}
	return line{Call: call, Allowed: decision.Allowed(), Reason: decision.Reason(), HTTPStatus: decision.HTTPStatus()}
}
