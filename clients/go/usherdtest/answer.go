package usherdtest

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

// Answer is what the server answers.
type Answer struct {
	decision *usherv1.Decision
	code     codes.Code
	reason   string
}

// Allow lets a user called "user" pass, with the model that was asked for.
func Allow() Answer {
	return Decision(&usherv1.Decision{
		Effect: usherv1.Effect_EFFECT_ALLOW, Reason: usherv1.Reason_REASON_ALLOWED, HttpStatus: 200,
		Principal: &usherv1.Principal{
			Kind: usherv1.PrincipalKind_PRINCIPAL_KIND_USER, Issuer: "https://issuer.example", Subject: "user", UserId: "user",
		},
		Cacheable: true,
	})
}

// Deny denies for a reason of the contract without its prefix, such as "TEAM_BLOCKED". It panics if there is none of
// that name.
func Deny(reason string) Answer {
	number, known := usherv1.Reason_value["REASON_"+reason]
	if !known || number < 10 {
		panic("usherdtest: there is no denial for the reason " + reason)
	}
	made := &usherv1.Decision{
		Effect: usherv1.Effect_EFFECT_DENY, Reason: usherv1.Reason(number), HttpStatus: 403, Message: "Denied: " + reason + ".",
		Cacheable: true,
	}
	switch {
	case number == int32(usherv1.Reason_REASON_TOKEN_MISSING):
		made.HttpStatus, made.WwwAuthenticate = 401, "Bearer"
	case number < int32(usherv1.Reason_REASON_HOOK_REFUSED):
		made.HttpStatus, made.WwwAuthenticate = 401, `Bearer error="invalid_token"`
	case number >= int32(usherv1.Reason_REASON_TEAM_BUDGET_EXHAUSTED):
		made.HttpStatus = 429
	}
	return Decision(made)
}

// Fault makes no decision: the call ends with that status and reason, such as "KEYS_UNAVAILABLE".
func Fault(code codes.Code, reason string) Answer { return Answer{code: code, reason: reason} }

// Decision answers with that decision, for whatever the others do not make. Its id, and the end of its validity unless it
// has one, are the server's.
func Decision(decision *usherv1.Decision) Answer { return Answer{decision: decision} }

// For says who asks, in an allowance or a denial.
func (a Answer) For(principal usherd.Principal) Answer {
	return a.with(func(d *usherv1.Decision) {
		kind, known := usherv1.PrincipalKind_value["PRINCIPAL_KIND_"+principal.Kind]
		if !known {
			kind = int32(usherv1.PrincipalKind_PRINCIPAL_KIND_USER)
		}
		d.Principal = &usherv1.Principal{
			Kind: usherv1.PrincipalKind(kind), Issuer: principal.Issuer, Subject: principal.Subject,
			Client: principal.Client, DirectoryRole: principal.DirectoryRole, IsAdmin: principal.IsAdmin,
			UserId: principal.UserID, Email: principal.Email, TeamId: principal.TeamID, TeamAlias: principal.TeamAlias,
			OrganizationId: principal.OrganizationID, EndUserId: principal.EndUserID,
			Scopes: principal.Scopes, Roles: principal.Roles,
		}
		for _, claim := range principal.Claims {
			d.Principal.Claims = append(d.Principal.Claims, &usherv1.Claim{Name: claim.Name, ValueJson: claim.JSON})
		}
	})
}

// Resolved says which model is called.
func (a Answer) Resolved(model string) Answer {
	return a.with(func(d *usherv1.Decision) { d.ResolvedModel = model })
}

// Until says until when the answer may be kept.
func (a Answer) Until(end time.Time) Answer {
	return a.with(func(d *usherv1.Decision) { d.ValidUntil = timestamppb.New(end) })
}

// NotKept makes an answer that no cache keeps.
func (a Answer) NotKept() Answer { return a.with(func(d *usherv1.Decision) { d.Cacheable = false }) }

func (a Answer) with(change func(*usherv1.Decision)) Answer {
	if a.decision != nil {
		a.decision = proto.CloneOf(a.decision)
		change(a.decision)
	}
	return a
}

// err is the status of a fault.
func (a Answer) err() error {
	failed := status.New(a.code, "no decision")
	if detailed, err := failed.WithDetails(&errdetails.ErrorInfo{Reason: a.reason, Domain: "usher.v1"}); err == nil {
		failed = detailed
	}
	return failed.Err()
}

// message is the fault of a subscription.
func (a Answer) message() *usherv1.Fault {
	return &usherv1.Fault{
		Code: usherv1.Code(a.code), Reason: usherv1.FaultReason(usherv1.FaultReason_value["FAULT_REASON_"+a.reason]),
	}
}

// same says whether two answers say the same, whatever their ids.
func (a Answer) same(b Answer) bool {
	return a.code == b.code && a.reason == b.reason && proto.Equal(a.decision, b.decision)
}
