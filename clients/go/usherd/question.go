package usherd

import (
	"strconv"
	"strings"
	"unicode/utf8"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// What is too long is cut above what the server takes: it stays too long, and is denied. An oversized message would be
// a fault instead, and a fault that an end user can cause is a way past a gateway that fails open.
const (
	longestToken = 64 << 10
	longestRoute = 16 << 10
	longestName  = 1 << 10
	mostModels   = 16

	// longestKept is how many bytes a question has at most that the cache keeps: 10,000 of them have a place in memory.
	longestKept = 16 << 10
)

// refused stands for what is no text: no field of a question takes it, so that it is denied.
const refused = "\x00"

// Question asks: may the holder of this token call this route with this model?
//
// Whatever an end user may have chosen is not checked here: what is no UTF-8, or too long, is asked as something that
// the server denies. Printing a Question shows nothing of it.
type Question struct {
	// Token is the bare compact JWS; a scheme in front of it ("Bearer ") is the gateway's to take off.
	Token string
	// Route is the path that the gateway will really dispatch.
	Route string
	// Method is the HTTP method, upper case. Empty: a grant that names a method does not match.
	Method string
	// Model is the model that is asked for. Nil: none. A pointer to "" is a model with an empty name, and is denied.
	Model *string
	// FallbackModels are those that the gateway would fall back to, at most 16. Each must be allowed.
	FallbackModels []string
	// TeamID is the team that the user wants to act for. Nil: the policy chooses.
	TeamID *string
	// TeamAlias is the same by the team's alias. At most one of the two may be set.
	TeamAlias *string
	// EndUserID is the end user (customer) on whose behalf the request is made. Empty: none.
	EndUserID string
	// OrganizationID is the organization that the request acts on. Empty: none.
	OrganizationID string
	// ModifiesGuardrails says that the request asks for guardrails of its own.
	ModifiesGuardrails bool
}

// valid says whether the gateway has set what goes together.
func (q *Question) valid() bool { return q.TeamID == nil || q.TeamAlias == nil }

// message is the contract's Question.
func (q *Question) message() *usherv1.Question {
	wire := &usherv1.Question{
		Token:              text(q.Token, longestToken),
		Route:              text(q.Route, longestRoute),
		Method:             text(q.Method, longestName),
		EndUserId:          text(q.EndUserID, longestName),
		OrganizationId:     text(q.OrganizationID, longestName),
		ModifiesGuardrails: q.ModifiesGuardrails,
	}
	if q.Model != nil {
		model := text(*q.Model, longestName)
		wire.Model = &model
	}
	for _, each := range q.FallbackModels[:min(len(q.FallbackModels), mostModels+1)] {
		wire.FallbackModels = append(wire.FallbackModels, text(each, longestName))
	}
	switch {
	case q.TeamID != nil:
		wire.TeamWish = &usherv1.Question_TeamId{TeamId: text(*q.TeamID, longestName)}
	case q.TeamAlias != nil:
		wire.TeamWish = &usherv1.Question_TeamAlias{TeamAlias: text(*q.TeamAlias, longestName)}
	}
	return wire
}

func text(value string, limit int) string {
	if len(value) > limit {
		// A character that is cut in two would make it no text.
		end := limit + 1
		for end > limit-utf8.UTFMax && end < len(value) && !utf8.RuneStart(value[end]) {
			end--
		}
		value = value[:end]
	}
	if !utf8.ValidString(value) {
		return refused
	}
	return value
}

// key is a whole question, as the cache compares it. It is comparable, so that a question without fallbacks is looked
// up without a copy of its token.
type key struct {
	token, route, method, model, fallbacks, team, endUser, organization string

	shape uint8
}

const (
	withModel = 1 << iota
	withTeamID
	withTeamAlias
	withGuardrails
)

// key returns what the question is kept under; false: it is too long to be kept, or not one that is asked.
func (q *Question) key() (key, bool) {
	if !q.valid() {
		return key{}, false
	}
	k := key{token: q.Token, route: q.Route, method: q.Method, endUser: q.EndUserID, organization: q.OrganizationID}
	if q.Model != nil {
		k.model, k.shape = *q.Model, k.shape|withModel
	}
	switch {
	case q.TeamID != nil:
		k.team, k.shape = *q.TeamID, k.shape|withTeamID
	case q.TeamAlias != nil:
		k.team, k.shape = *q.TeamAlias, k.shape|withTeamAlias
	}
	if q.ModifiesGuardrails {
		k.shape |= withGuardrails
	}
	if len(q.FallbackModels) > 0 {
		if len(q.FallbackModels) > mostModels {
			return key{}, false
		}
		k.fallbacks = joined(q.FallbackModels)
	}
	size := len(k.token) + len(k.route) + len(k.method) + len(k.model) + len(k.fallbacks) + len(k.team) +
		len(k.endUser) + len(k.organization)
	return k, size <= longestKept
}

// joined keeps names apart by their lengths: no two lists have one text.
func joined(names []string) string {
	var built strings.Builder
	for _, each := range names {
		built.WriteString(strconv.Itoa(len(each)))
		built.WriteByte(':')
		built.WriteString(each)
	}
	return built.String()
}

// cloned holds on to nothing but its own bytes: a header's text may be a part of a much larger one.
func (k key) cloned() key {
	for _, each := range []*string{
		&k.token, &k.route, &k.method, &k.model, &k.fallbacks, &k.team, &k.endUser, &k.organization,
	} {
		*each = strings.Clone(*each)
	}
	return k
}
