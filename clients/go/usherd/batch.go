package usherd

import (
	"context"
	"strconv"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// mostItems is how many questions the server takes in one batch.
const mostItems = 1000

// Result is what came of one question of a batch: a decision, or the fault in its place. The zero Result is not allowed.
type Result struct {
	// Decision is the zero Decision, which is not allowed, where Err is set.
	Decision Decision
	// Err is the [*Fault] for which there is no decision about this question. Nil: there is one.
	Err error
}

// Allowed says whether what was asked for may pass.
func (r Result) Allowed() bool { return r.Err == nil && r.Decision.Allowed() }

// BatchCheck asks 1 to 1,000 questions in one call, and has a [Result] for each, in their order. The token is for those
// questions whose own is empty; a server takes 16 different ones at most. A denial is a Decision, and a question without one has a fault in its place, while the others
// have theirs. An error is a [*Fault] of the whole call, and then there is no result. The deadline is that of the whole call.
// Nothing is answered from the cache, nor kept in it.
func (c *Client) BatchCheck(
	ctx context.Context, token string, questions []Question, options ...CallOption,
) ([]Result, error) {
	if len(questions) < 1 || len(questions) > mostItems {
		return nil, &Fault{Kind: InvalidRequest}
	}
	made, fault := c.call(&questions[0], options)
	if fault != nil {
		return nil, fault
	}
	request := &usherv1.BatchCheckRequest{Token: text(token, longestToken), Options: made.options()}
	for number := range questions {
		if !questions[number].valid() {
			return nil, &Fault{Kind: InvalidRequest}
		}
		request.Items = append(request.Items, &usherv1.BatchCheckRequest_Item{
			Id: strconv.Itoa(number), Question: questions[number].message(),
		})
	}
	ctx, cancel := context.WithTimeout(ctx, made.timeout)
	defer cancel()
	ctx, fault = c.shown(ctx)
	if fault != nil {
		return nil, fault
	}
	response, err := c.service.BatchCheck(ctx, request)
	if err != nil {
		return nil, c.meant(faultOf(ctx, err))
	}
	return resultsOf(response, len(questions))
}

// resultsOf is what came of each question. One result that is missing, doubled or in another's place makes it unknown whose
// the others are.
func resultsOf(response *usherv1.BatchCheckResponse, asked int) ([]Result, error) {
	if len(response.GetResults()) != asked {
		return nil, &Fault{Kind: BadAnswer}
	}
	results := make([]Result, asked)
	for number, wire := range response.GetResults() {
		if wire.GetId() != strconv.Itoa(number) {
			return nil, &Fault{Kind: BadAnswer}
		}
		results[number] = resultOf(wire)
	}
	return results, nil
}

func resultOf(wire *usherv1.BatchCheckResponse_Result) Result {
	switch told := wire.GetResult().(type) {
	case *usherv1.BatchCheckResponse_Result_Decision:
		decision, fault := decisionOf(told.Decision)
		if fault != nil {
			return Result{Err: fault}
		}
		return Result{Decision: decision}
	case *usherv1.BatchCheckResponse_Result_Fault:
		return Result{Err: toldFault(told.Fault)}
	default:
		return Result{Err: &Fault{Kind: BadAnswer}}
	}
}
