package usherd

import (
	"context"

	"google.golang.org/protobuf/proto"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

const (
	pageSize  = 1000
	mostPages = 1000
	// mostListed is how many bytes all pages may have. A server knows some ten thousand models, with names of 256 bytes at
	// most.
	mostListed = 64 << 20
)

// Model is a model that may be called.
type Model struct {
	// Name is the name to ask for.
	Name string
	// Resolved is the model that a call would be resolved to; the name itself where it is no alias.
	Resolved string
}

// ModelList says which models may be called.
type ModelList struct {
	// Models are sorted by name.
	Models []Model
	// Denied says that the question is denied whatever the model; Denial is the decision then.
	Denied bool
	Denial Decision
}

// Models lists the models that a question would be allowed with; its own model and fallbacks are left open. A denial is in
// the list, and an error is a [*Fault]. The deadline is that of each page of a thousand. Nothing of it is cached.
func (c *Client) Models(ctx context.Context, question Question, options ...CallOption) (ModelList, error) {
	made, fault := c.call(&question, options)
	if fault != nil {
		return ModelList{}, fault
	}
	request := &usherv1.ListModelsRequest{Question: question.message(), Options: made.options(), PageSize: pageSize}
	var list ModelList
	size := 0
	for range mostPages {
		page, fault := c.page(ctx, request, made)
		if fault != nil {
			return ModelList{}, c.meant(fault)
		}
		if wire := page.GetDenial(); wire != nil {
			denial, fault := decisionOf(wire)
			if fault != nil || denial.Allowed() || len(page.GetModels()) > 0 {
				return ModelList{}, &Fault{Kind: BadAnswer}
			}
			return ModelList{Denied: true, Denial: denial}, nil
		}
		size += proto.Size(page)
		if len(page.GetModels()) > pageSize || size > mostListed {
			break
		}
		for _, each := range page.GetModels() {
			list.Models = append(list.Models, Model{Name: each.GetName(), Resolved: each.GetResolvedModel()})
		}
		if page.GetNextPageToken() == "" {
			return list, nil
		}
		if page.GetNextPageToken() == request.GetPageToken() {
			break
		}
		request.PageToken = page.GetNextPageToken()
	}
	// A server that would turn pages for ever, or fill the memory.
	return ModelList{}, &Fault{Kind: BadAnswer}
}

func (c *Client) page(
	ctx context.Context, request *usherv1.ListModelsRequest, made *call,
) (*usherv1.ListModelsResponse, *Fault) {
	ctx, cancel := context.WithTimeout(ctx, made.timeout)
	defer cancel()
	ctx, fault := c.shown(ctx)
	if fault != nil {
		return nil, fault
	}
	page, err := c.service.ListModels(ctx, request)
	if err != nil {
		return nil, faultOf(ctx, err)
	}
	return page, nil
}
