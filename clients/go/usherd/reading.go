package usherd

import (
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// ReadDecision reads a decision's message, which must not be changed afterwards: for adapters, and for fakes in tests.
// The error is a [*Fault] of kind BadAnswer unless effect, reason and principal go together by the contract.
func ReadDecision(wire *usherv1.Decision) (Decision, error) {
	decision, fault := decisionOf(wire)
	if fault != nil {
		return Decision{}, fault
	}
	return decision, nil
}

func decisionOf(wire *usherv1.Decision) (Decision, *Fault) {
	read := &held{wire: wire, status: 403}
	switch wire.GetEffect() {
	case usherv1.Effect_EFFECT_ALLOW:
		// Numbers that will be added for other allowances are not known to allow.
		if wire.GetReason() != firstAllowing && wire.GetReason() != secondAllowing {
			return Decision{}, &Fault{Kind: BadAnswer}
		}
		if wire.GetPrincipal().GetKind() == usherv1.PrincipalKind_PRINCIPAL_KIND_UNSPECIFIED {
			return Decision{}, &Fault{Kind: BadAnswer}
		}
		read.allowed, read.status = true, 200
	case usherv1.Effect_EFFECT_DENY:
		// reason.proto: numbers 1 to 9 go with ALLOW, all others with DENY; 0 is never sent.
		if wire.GetReason() >= 0 && wire.GetReason() <= 9 {
			return Decision{}, &Fault{Kind: BadAnswer}
		}
		if sent := wire.GetHttpStatus(); sent >= 400 && sent <= 499 {
			read.status = int(sent)
		}
	default:
		return Decision{}, &Fault{Kind: BadAnswer}
	}
	read.reason = unknownReason
	if name, ok := usherv1.Reason_name[int32(wire.GetReason())]; ok {
		read.reason = name[len(reasonPrefix):]
	}
	if until := wire.GetValidUntil(); until != nil && until.IsValid() {
		read.validUntil = until.AsTime()
	}
	read.cacheable = wire.GetCacheable() && !read.validUntil.IsZero() && knowsKinds(wire)
	return Decision{read}, nil
}

// knowsKinds says whether this client knows all kinds of things that the decision depends on: another may change at any
// time.
func knowsKinds(wire *usherv1.Decision) bool {
	for _, each := range wire.GetDependsOn() {
		kind := each.GetKind()
		if _, ok := usherv1.DependencyKind_name[int32(kind)]; !ok || kind == 0 {
			return false
		}
	}
	return true
}

// keepable says whether the cache may keep it.
func (d Decision) keepable(now time.Time) bool {
	return d.held.cacheable && now.Before(d.held.validUntil)
}
