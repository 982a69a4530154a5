package usherd

import (
	"context"
	"regexp"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// FaultKind says what kept a decision from being made.
type FaultKind int

const (
	// Internal is a bug in the server, or a status that usherd does not answer with.
	Internal FaultKind = iota
	// InvalidRequest: the gateway sent something that only a gateway controls and that is wrong. Do not retry.
	InvalidRequest
	// Precondition: the request does not fit the state of this server, such as a revision of another store.
	Precondition
	// CallerUnknown: the gateway has not shown who it is.
	CallerUnknown
	// CallerNotAllowed: the gateway itself may not make this call.
	CallerNotAllowed
	// Unavailable: the server, or what it needs for a decision, is out of reach or too old. Asking later may help.
	Unavailable
	// Overloaded: the server has as much work as it takes on, or a message was larger than one side takes.
	Overloaded
	// OutOfTime: the deadline came before a decision.
	OutOfTime
	// BadAnswer: the server answered OK with something that is no decision by the contract.
	BadAnswer
	// Canceled: the context of the call was cancelled by whoever made the call.
	Canceled
	// Closed: the client was closed before the answer came.
	Closed
)

var faultTexts = map[FaultKind]string{
	Internal:         "internal error",
	InvalidRequest:   "the request is not valid",
	Precondition:     "the request does not fit the server's state",
	CallerUnknown:    "the caller has not shown who it is",
	CallerNotAllowed: "the caller may not make this call",
	Unavailable:      "not available",
	Overloaded:       "too much work or too large",
	OutOfTime:        "the deadline came before a decision",
	BadAnswer:        "the answer is not a decision",
	Canceled:         "the call was cancelled",
	Closed:           "the client is closed",
}

// String is a constant text for each kind.
func (k FaultKind) String() string {
	if known, ok := faultTexts[k]; ok {
		return known
	}
	return faultTexts[Internal]
}

// Fault is the error of a question without a decision: never a denial, never an allowance. A gateway fails closed on
// it. Its text is a constant for each kind and reason; the server's own text is left behind.
type Fault struct {
	// Kind says what kept the decision from being made.
	Kind FaultKind
	// Reason is the contract's FaultReason without its prefix, such as "KEYS_UNAVAILABLE". Empty: none was sent.
	Reason string
	// RetryAfter is how long the server advises to wait before asking again, at most an hour.
	RetryAfter time.Duration
	// Advised says whether the server gave that advice: RetryAfter may be 0, too.
	Advised bool
}

// Error is constant for each kind and reason.
func (f *Fault) Error() string {
	if f.Reason == "" {
		return "usherd: " + f.Kind.String()
	}
	return "usherd: " + f.Kind.String() + " (" + f.Reason + ")"
}

// Is makes errors.Is(err, context.DeadlineExceeded) and errors.Is(err, context.Canceled) true for faults of these kinds.
func (f *Fault) Is(target error) bool {
	return f.Kind == OutOfTime && target == context.DeadlineExceeded || f.Kind == Canceled && target == context.Canceled
}

const (
	errorDomain    = "usher.v1"
	longestAdvice  = time.Hour
	reasonPrefix   = "REASON_"
	faultPrefix    = "FAULT_REASON_"
	unknownReason  = "UNKNOWN"
	firstAllowing  = usherv1.Reason_REASON_ALLOWED
	secondAllowing = usherv1.Reason_REASON_PUBLIC_ROUTE
)

var reasonForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// outOfContext is the fault of a call whose context is done.
func outOfContext(ctx context.Context) *Fault {
	return faultOf(ctx, status.FromContextError(ctx.Err()).Err())
}

// faultOf is the fault that a call ended with.
func faultOf(ctx context.Context, err error) *Fault {
	failed := status.Convert(err)
	fault := &Fault{Kind: kindOf(failed.Code())}
	if fault.Kind == Canceled && ctx.Err() == nil {
		// Nobody cancelled this call here.
		fault.Kind = Internal
	}
	for _, detail := range failed.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == errorDomain && reasonForm.MatchString(detail.GetReason()) {
				fault.Reason = detail.GetReason()
			}
		case *errdetails.RetryInfo:
			fault.advise(detail.GetRetryDelay())
		}
	}
	return fault
}

// toldFault is a fault that came in a message.
func toldFault(wire *usherv1.Fault) *Fault {
	fault := &Fault{Kind: kindOf(codes.Code(uint32(wire.GetCode()))), Reason: unknownReason}
	if fault.Kind == Canceled {
		fault.Kind = Internal
	}
	if wire.GetReason() == 0 {
		fault.Reason = ""
	} else if name, ok := usherv1.FaultReason_name[int32(wire.GetReason())]; ok {
		fault.Reason = name[len(faultPrefix):]
	}
	fault.advise(wire.GetRetryAfter())
	return fault
}

func (f *Fault) advise(delay *durationpb.Duration) {
	if delay == nil || !delay.IsValid() {
		return
	}
	if wait := delay.AsDuration(); wait >= 0 && wait <= longestAdvice {
		f.RetryAfter, f.Advised = wait, true
	}
}

func kindOf(code codes.Code) FaultKind {
	switch code {
	case codes.InvalidArgument:
		return InvalidRequest
	case codes.DeadlineExceeded:
		return OutOfTime
	case codes.PermissionDenied:
		return CallerNotAllowed
	case codes.ResourceExhausted:
		return Overloaded
	case codes.FailedPrecondition:
		return Precondition
	case codes.Unavailable:
		return Unavailable
	case codes.Unauthenticated:
		return CallerUnknown
	case codes.Canceled:
		return Canceled
	default:
		return Internal
	}
}
