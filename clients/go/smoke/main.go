// Command smoke asks a running usherd with the Go stubs and prints what came, one JSON line a call.
//
//	smoke TARGET ROUTE MODEL < tokens
//
// Standard input holds one token a line. Each is asked about with Authorize and with Check, over plaintext: this is
// a test of the stubs, and an example of how a gateway in Go reads answers, not a client.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

const deadline = 5 * time.Second

var errNoDecision = errors.New("the answer is not a decision")

type outcome struct {
	RPC         string `json:"rpc"`
	Allowed     bool   `json:"allowed"`
	Effect      string `json:"effect"`
	Reason      string `json:"reason"`
	HTTPStatus  int32  `json:"http_status"`
	Status      string `json:"status"`
	FaultReason string `json:"fault_reason"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return errors.New("usage: smoke TARGET ROUTE MODEL < tokens")
	}
	channel, err := grpc.NewClient(args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer channel.Close()
	client := usherv1.NewAuthorizationServiceClient(channel)
	lines := json.NewEncoder(out)
	tokens := bufio.NewScanner(in)
	for tokens.Scan() {
		question := &usherv1.Question{Token: tokens.Text(), Route: args[1], Model: &args[2]}
		streamed, err := authorize(client, question)
		if err := lines.Encode(read("Authorize", streamed, err)); err != nil {
			return err
		}
		checked, err := check(client, question)
		if err := lines.Encode(read("Check", checked, err)); err != nil {
			return err
		}
	}
	return tokens.Err()
}

func authorize(client usherv1.AuthorizationServiceClient, question *usherv1.Question) (*usherv1.Decision, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	request := &usherv1.AuthorizeRequest{Question: question, Mode: usherv1.Mode_MODE_ONCE}
	stream, err := client.Authorize(ctx, request)
	if err != nil {
		return nil, err
	}
	first, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	// An ALLOW counts only when the stream then ends, and ends with OK.
	if _, err := stream.Recv(); err == nil {
		return nil, errNoDecision
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return first.GetDecision(), nil
}

func check(client usherv1.AuthorizationServiceClient, question *usherv1.Question) (*usherv1.Decision, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	response, err := client.Check(ctx, &usherv1.CheckRequest{Question: question})
	return response.GetDecision(), err
}

func read(rpc string, decision *usherv1.Decision, err error) outcome {
	if err == nil && decision == nil {
		err = errNoDecision
	}
	failed := status.Convert(err)
	result := outcome{RPC: rpc, Status: failed.Code().String()}
	if err != nil {
		for _, detail := range failed.Details() {
			if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "usher.v1" {
				result.FaultReason = info.GetReason()
			}
		}
		return result
	}
	result.Allowed = decision.GetEffect() == usherv1.Effect_EFFECT_ALLOW
	result.Effect = decision.GetEffect().String()
	result.Reason = decision.GetReason().String()
	result.HTTPStatus = decision.GetHttpStatus()
	return result
}
