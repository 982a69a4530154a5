package usherd

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// Decision is one complete decision. It is a small value that may be copied and shared; the zero Decision is a denial
// for no known reason.
type Decision struct {
	held *held
}

// held is what a decision says; it never changes.
type held struct {
	wire       *usherv1.Decision
	allowed    bool
	cacheable  bool
	status     int
	reason     string
	validUntil time.Time
}

// Allowed says whether the request may pass. It is true only for effect ALLOW, with a reason that allows, on a call that
// ended with OK or that goes on telling what becomes of the decision.
func (d Decision) Allowed() bool { return d.held != nil && d.held.allowed }

// Reason is the contract's Reason without its prefix, such as "TOKEN_EXPIRED"; "UNKNOWN" where this client is too old.
func (d Decision) Reason() string {
	if d.held == nil {
		return unknownReason
	}
	return d.held.reason
}

// Message is one English sentence for each reason, safe to show to the end user.
func (d Decision) Message() string { return d.wire().GetMessage() }

// HTTPStatus is what to answer the end user with: 200 when allowed, else 400 to 499.
func (d Decision) HTTPStatus() int {
	if d.held == nil {
		return 403
	}
	return d.held.status
}

// WWWAuthenticate is the header of that name to send with a 401 or 403 (RFC 6750, section 3). Empty: none.
func (d Decision) WWWAuthenticate() string { return d.wire().GetWwwAuthenticate() }

// ResolvedModel is the model to call, after aliases. Empty: no model was asked for, or not allowed.
func (d Decision) ResolvedModel() string {
	if !d.Allowed() {
		return ""
	}
	return d.wire().GetResolvedModel()
}

// ValidUntil is until when the decision may be kept, if it is cacheable. Zero: not at all.
func (d Decision) ValidUntil() time.Time {
	if d.held == nil {
		return time.Time{}
	}
	return d.held.validUntil
}

// Cacheable says whether the decision may be kept until ValidUntil. It is false when the decision depends on a kind of
// thing that this client does not know.
func (d Decision) Cacheable() bool { return d.held != nil && d.held.cacheable }

// ID identifies the decision in the server's logs.
func (d Decision) ID() string { return d.wire().GetDecisionId() }

// Revision is the directory's revision that was read; opaque. Pass it on with [AtLeastAsFresh].
func (d Decision) Revision() string { return d.wire().GetRevision() }

// Wire is a copy of the message itself, for what stands only there: limits, dependencies, the explanation.
// Its effect is not Allowed.
func (d Decision) Wire() *usherv1.Decision {
	if d.held == nil {
		return &usherv1.Decision{}
	}
	return proto.CloneOf(d.held.wire)
}

func (d Decision) wire() *usherv1.Decision {
	if d.held == nil {
		return nil
	}
	return d.held.wire
}

// Principal is who holds a token. An empty string is an absent value; principal.proto says what each is.
type Principal struct {
	// Kind is USER, SERVICE, SESSION, ANONYMOUS, or UNKNOWN for a kind that this client is too old to know.
	Kind           string
	Issuer         string
	Subject        string
	Client         string
	DirectoryRole  string
	IsAdmin        bool
	UserID         string
	Email          string
	TeamID         string
	TeamAlias      string
	OrganizationID string
	EndUserID      string
	Scopes         []string
	Roles          []string
	// Claims are those that the policy passes on, sorted by name.
	Claims []Claim
}

// Claim is one claim that is passed on.
type Claim struct {
	Name string
	// JSON is its value as JSON text.
	JSON string
}

// Principal says who asks, as far as it is known; false when the token is not genuine. It is the caller's own copy.
func (d Decision) Principal() (Principal, bool) {
	wire := d.wire().GetPrincipal()
	if wire == nil {
		return Principal{}, false
	}
	kind := unknownReason
	if name, ok := usherv1.PrincipalKind_name[int32(wire.GetKind())]; ok {
		kind = strings.TrimPrefix(name, "PRINCIPAL_KIND_")
	}
	principal := Principal{
		Kind:           kind,
		Issuer:         wire.GetIssuer(),
		Subject:        wire.GetSubject(),
		Client:         wire.GetClient(),
		DirectoryRole:  wire.GetDirectoryRole(),
		IsAdmin:        wire.GetIsAdmin(),
		UserID:         wire.GetUserId(),
		Email:          wire.GetEmail(),
		TeamID:         wire.GetTeamId(),
		TeamAlias:      wire.GetTeamAlias(),
		OrganizationID: wire.GetOrganizationId(),
		EndUserID:      wire.GetEndUserId(),
		Scopes:         slices.Clone(wire.GetScopes()),
		Roles:          slices.Clone(wire.GetRoles()),
	}
	for _, each := range wire.GetClaims() {
		principal.Claims = append(principal.Claims, Claim{Name: each.GetName(), JSON: each.GetValueJson()})
	}
	return principal, true
}
