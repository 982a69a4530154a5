package usherd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

func models(names ...string) []*usherv1.ListModelsResponse_Model {
	var listed []*usherv1.ListModelsResponse_Model
	for _, name := range names {
		listed = append(listed, &usherv1.ListModelsResponse_Model{Name: name, ResolvedModel: name + "-2024"})
	}
	return listed
}

func TestModelsAreListedPageByPage(t *testing.T) {
	denial := deny("1", usherv1.Reason_REASON_TEAM_BLOCKED)
	for name, each := range map[string]struct {
		pages []*usherv1.ListModelsResponse
		err   error
		want  string
	}{
		"one page":  {[]*usherv1.ListModelsResponse{{Models: models("a", "b")}}, nil, "[{a a-2024} {b b-2024}] false <nil>"},
		"two pages": {[]*usherv1.ListModelsResponse{{Models: models("a"), NextPageToken: "2"}, {Models: models("b")}}, nil, "[{a a-2024} {b b-2024}] false <nil>"},
		"none":      {[]*usherv1.ListModelsResponse{{}}, nil, "[] false <nil>"},
		"a denial":  {[]*usherv1.ListModelsResponse{{Denial: denial}}, nil, "[] true <nil>"},
		"a denial on a later page": {
			[]*usherv1.ListModelsResponse{{Models: models("a"), NextPageToken: "2"}, {Denial: denial}}, nil, "[] true <nil>",
		},
		"an allowance for a denial": {
			[]*usherv1.ListModelsResponse{{Denial: allow("1")}}, nil, "[] false usherd: the answer is not a decision",
		},
		"a denial and models": {
			[]*usherv1.ListModelsResponse{{Denial: denial, Models: models("a")}}, nil,
			"[] false usherd: the answer is not a decision",
		},
		"the same page again": {
			[]*usherv1.ListModelsResponse{{NextPageToken: "2"}, {NextPageToken: "2"}}, nil,
			"[] false usherd: the answer is not a decision",
		},
		"an error": {
			[]*usherv1.ListModelsResponse{{Models: models("a"), NextPageToken: "2"}}, status.Error(codes.PermissionDenied, ""),
			"[] false usherd: the caller may not make this call",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t)
			asked := 0
			s.list = func(request *usherv1.ListModelsRequest) (*usherv1.ListModelsResponse, error) {
				asked++
				if asked > len(each.pages) {
					return nil, each.err
				}
				if asked > 1 && request.GetPageToken() != each.pages[asked-2].GetNextPageToken() {
					t.Errorf("it asked for page %q", request.GetPageToken())
				}
				return each.pages[asked-1], nil
			}
			list, err := s.client(t).Models(context.Background(), ask("a"))
			if got := fmt.Sprint(list.Models, list.Denied, err); got != fmt.Sprint(each.want) {
				t.Errorf("got %s", got)
			}
			if list.Denied && list.Denial.Reason() != "TEAM_BLOCKED" {
				t.Errorf("got %v", list.Denial)
			}
		})
	}
	if _, err := newScripted(t).client(t).Models(context.Background(), ask("a")); kindOf(err) != usherd.Internal {
		t.Errorf("a server that does not know the call: %v", err)
	}
}

func TestAListOfModelsIsBounded(t *testing.T) {
	list := func(next func(asked int) *usherv1.ListModelsResponse) (asked, got int, err error) {
		s := newScripted(t)
		s.list = func(*usherv1.ListModelsRequest) (*usherv1.ListModelsResponse, error) {
			asked++
			return next(asked), nil
		}
		models, err := s.client(t).Models(context.Background(), ask("a"), usherd.Timeout(20*time.Second))
		return asked, len(models.Models), err
	}
	page := models(make([]string, 1001)...)
	if _, got, err := list(func(int) *usherv1.ListModelsResponse {
		return &usherv1.ListModelsResponse{Models: page[:1000]}
	}); err != nil || got != 1000 {
		t.Errorf("a page of 1,000: %d, %v", got, err)
	}
	if _, got, err := list(func(int) *usherv1.ListModelsResponse {
		return &usherv1.ListModelsResponse{Models: page}
	}); kindOf(err) != usherd.BadAnswer || got != 0 {
		t.Errorf("a page of 1,001: %d, %v", got, err)
	}
	// Each page has 4 MB: the name, and what it is resolved to.
	long := models(strings.Repeat("m", 2_000_000))
	if asked, got, err := list(func(asked int) *usherv1.ListModelsResponse {
		return &usherv1.ListModelsResponse{Models: long, NextPageToken: fmt.Sprint(asked)}
	}); kindOf(err) != usherd.BadAnswer || got != 0 || asked != 17 {
		t.Errorf("more than 64 MiB: %d pages, %d, %v", asked, got, err)
	}
}
