package usherdtest

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// service is the server's gRPC face. A watch of Authorize is a stream of one subscription.
type service struct {
	usherv1.UnimplementedAuthorizationServiceServer
	server *Server
}

// stream is a stream of living decisions. The server's lock guards it.
type stream struct {
	server *Server
	living map[uint64]*living
	queue  []*usherv1.SubscribeResponse
	more   chan struct{}
	err    chan error
}

// living is a question whose answer is kept true.
type living struct {
	question *usherv1.Question
	answer   Answer
	id       string
}

// Check answers one question.
func (s *service) Check(_ context.Context, request *usherv1.CheckRequest) (*usherv1.CheckResponse, error) {
	decision, err := s.once(request.GetQuestion())
	return &usherv1.CheckResponse{Decision: decision}, err
}

func (s *service) once(question *usherv1.Question) (*usherv1.Decision, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.asked = append(s.server.asked, questionOf(question))
	answer := s.server.answer(question)
	if answer.decision == nil {
		return nil, answer.err()
	}
	return s.server.decision(answer, question), nil
}

// Authorize answers one question, or keeps its answer true.
func (s *service) Authorize(
	request *usherv1.AuthorizeRequest, call grpc.ServerStreamingServer[usherv1.AuthorizeResponse],
) error {
	if request.GetMode() != usherv1.Mode_MODE_WATCH {
		decision, err := s.once(request.GetQuestion())
		if err != nil {
			return err
		}
		return call.Send(&usherv1.AuthorizeResponse{
			Event: &usherv1.AuthorizeResponse_Decision{Decision: decision},
			Terms: &usherv1.StreamTerms{Mode: usherv1.Mode_MODE_ONCE},
		})
	}
	here := s.open()
	defer s.close(here)
	if fault := here.add(1, request.GetQuestion()); fault != nil {
		return fault.err()
	}
	return here.speak(call.Context(), func(message *usherv1.SubscribeResponse) (bool, error) {
		told := &usherv1.AuthorizeResponse{Terms: message.GetTerms()}
		switch event := message.GetEvent().(type) {
		case *usherv1.SubscribeResponse_Decision:
			told.Event = &usherv1.AuthorizeResponse_Decision{Decision: event.Decision}
		case *usherv1.SubscribeResponse_Checkpoint:
			told.Event = &usherv1.AuthorizeResponse_Checkpoint{Checkpoint: event.Checkpoint}
		case *usherv1.SubscribeResponse_Changed:
			told.Event = &usherv1.AuthorizeResponse_Changed{Changed: event.Changed}
		case *usherv1.SubscribeResponse_Ended:
			told.Event = &usherv1.AuthorizeResponse_Ended{Ended: event.Ended}
			return true, call.Send(told)
		default:
			told.Event = &usherv1.AuthorizeResponse_Resync{Resync: &usherv1.Resync{}}
			return true, call.Send(told)
		}
		return false, call.Send(told)
	})
}

// Subscribe keeps many answers true.
func (s *service) Subscribe(call grpc.BidiStreamingServer[usherv1.SubscribeRequest, usherv1.SubscribeResponse]) error {
	here := s.open()
	defer s.close(here)
	go func() {
		for {
			request, err := call.Recv()
			if err != nil {
				return
			}
			for _, each := range request.GetAdd() {
				if fault := here.add(each.GetId(), each.GetQuestion()); fault != nil {
					here.say(&usherv1.SubscribeResponse{
						Id: each.GetId(), Event: &usherv1.SubscribeResponse_Fault{Fault: fault.message()},
					})
				}
			}
			here.remove(request.GetRemove())
		}
	}()
	return here.speak(call.Context(), func(message *usherv1.SubscribeResponse) (bool, error) {
		return false, call.Send(message)
	})
}

func (s *service) open() *stream {
	here := &stream{s.server, map[uint64]*living{}, nil, make(chan struct{}, 1), make(chan error, 1)}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.streams[here] = struct{}{}
	return here
}

func (s *service) close(here *stream) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	delete(s.server.streams, here)
}

// add makes the first decision, or returns the fault that there is in its place.
func (here *stream) add(number uint64, question *usherv1.Question) *Answer {
	s := here.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, questionOf(question))
	answer := s.answer(question)
	if answer.decision == nil {
		return &answer
	}
	decision := s.decision(answer, question)
	here.living[number] = &living{question, answer, decision.GetDecisionId()}
	here.put(&usherv1.SubscribeResponse{
		Id: number, DecisionId: decision.GetDecisionId(), Event: &usherv1.SubscribeResponse_Decision{Decision: decision},
	})
	return nil
}

func (here *stream) remove(numbers []uint64) {
	here.server.mu.Lock()
	defer here.server.mu.Unlock()
	for _, number := range numbers {
		delete(here.living, number)
	}
}

func (here *stream) say(message *usherv1.SubscribeResponse) {
	here.server.mu.Lock()
	defer here.server.mu.Unlock()
	here.put(message)
}

func (here *stream) put(message *usherv1.SubscribeResponse) {
	here.queue = append(here.queue, message)
	here.wake()
}

func (here *stream) wake() {
	select {
	case here.more <- struct{}{}:
	default:
	}
}

func (here *stream) fail(err error) {
	select {
	case here.err <- err:
	default:
	}
}

// lookAgain tells what is another answer now.
func (here *stream) lookAgain() {
	s := here.server
	for number, each := range here.living {
		answer := s.answer(each.question)
		if answer.same(each.answer) {
			continue
		}
		message := &usherv1.SubscribeResponse{Id: number, DecisionId: each.id}
		switch {
		case answer.decision == nil:
			// A fault makes no event: nothing is known any more.
			message.Event = &usherv1.SubscribeResponse_Resync{Resync: &usherv1.Resync{}}
			delete(here.living, number)
		case s.revoked[each.question.GetToken()]:
			message.Event = &usherv1.SubscribeResponse_Ended{Ended: &usherv1.Ended{
				Decision: s.decision(answer, each.question), Cause: usherv1.Cause_CAUSE_TOKEN_REVOKED,
			}}
			delete(here.living, number)
		default:
			decision := s.decision(answer, each.question)
			message.Event = &usherv1.SubscribeResponse_Changed{Changed: &usherv1.Changed{
				Decision: decision, Cause: usherv1.Cause_CAUSE_DIRECTORY,
			}}
			each.answer, each.id = answer, decision.GetDecisionId()
		}
		here.put(message)
	}
}

// speak says what there is to say, and confirms the rest.
func (here *stream) speak(
	ctx context.Context, send func(*usherv1.SubscribeResponse) (last bool, err error),
) error {
	terms := &usherv1.StreamTerms{
		Mode: usherv1.Mode_MODE_WATCH, MaxSilence: durationpb.New(here.server.silence),
	}
	confirm := time.NewTicker(here.server.silence / 3)
	defer confirm.Stop()
	for {
		select {
		case <-here.more:
		case <-confirm.C:
		case err := <-here.err:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, message := range here.take() {
			message.Terms, terms = terms, nil
			if last, err := send(message); err != nil || last {
				return err
			}
		}
	}
}

// take is what is to be said now: a checkpoint if nothing else is.
func (here *stream) take() []*usherv1.SubscribeResponse {
	here.server.mu.Lock()
	defer here.server.mu.Unlock()
	if here.server.mute {
		return nil
	}
	taken := slices.Clone(here.queue)
	here.queue = nil
	if len(taken) == 0 {
		taken = append(taken, &usherv1.SubscribeResponse{
			Event: &usherv1.SubscribeResponse_Checkpoint{Checkpoint: &usherv1.Checkpoint{Revision: "usherdtest:1"}},
		})
	}
	return taken
}
