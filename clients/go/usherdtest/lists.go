package usherdtest

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// Models are those that there are: what usherd.Client.Models chooses from. None, unless given.
func Models(names ...string) Option {
	return func(s *Server) {
		s.models = slices.Compact(slices.Sorted(slices.Values(names)))
	}
}

// BatchCheck answers many questions, each as if it were asked by itself.
func (s *service) BatchCheck(
	_ context.Context, request *usherv1.BatchCheckRequest,
) (*usherv1.BatchCheckResponse, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	response := &usherv1.BatchCheckResponse{}
	for _, item := range request.GetItems() {
		question := item.GetQuestion()
		if question.GetToken() == "" {
			question.Token = request.GetToken()
		}
		s.server.asked = append(s.server.asked, questionOf(question))
		result := &usherv1.BatchCheckResponse_Result{Id: item.GetId()}
		if answer := s.server.answer(question); answer.decision != nil {
			result.Result = &usherv1.BatchCheckResponse_Result_Decision{Decision: s.server.decision(answer, question)}
		} else {
			result.Result = &usherv1.BatchCheckResponse_Result_Fault{Fault: answer.message()}
		}
		response.Results = append(response.Results, result)
	}
	return response, nil
}

// ListModels lists those of the models that are allowed; where none is, and the question is denied without one as well, it
// has that denial.
func (s *service) ListModels(
	_ context.Context, request *usherv1.ListModelsRequest,
) (*usherv1.ListModelsResponse, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	question := proto.CloneOf(request.GetQuestion())
	question.Model, question.FallbackModels = nil, nil
	s.server.asked = append(s.server.asked, questionOf(question))
	response := &usherv1.ListModelsResponse{}
	for _, name := range s.server.models {
		question.Model = &name
		answer := s.server.answer(question)
		if answer.decision == nil {
			return nil, answer.err()
		}
		if answer.decision.GetEffect() == usherv1.Effect_EFFECT_ALLOW {
			response.Models = append(response.Models, &usherv1.ListModelsResponse_Model{
				Name: name, ResolvedModel: s.server.decision(answer, question).GetResolvedModel(),
			})
		}
	}
	if len(response.GetModels()) > 0 {
		return response, nil
	}
	question.Model = nil
	answer := s.server.answer(question)
	if answer.decision == nil {
		return nil, answer.err()
	}
	if answer.decision.GetEffect() != usherv1.Effect_EFFECT_ALLOW {
		response.Denial = s.server.decision(answer, question)
	}
	return response, nil
}
