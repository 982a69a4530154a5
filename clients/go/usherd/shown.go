package usherd

import (
	"fmt"
	"io"
	"log/slog"
)

// Whatever is printed, logged or written as JSON says what kind of thing it is, and nothing of whom it is about.
const (
	shownQuestion  = "usherd.Question{...}"
	shownPrincipal = "usherd.Principal{...}"
	shownClaim     = "usherd.Claim{...}"
)

func show(state fmt.State, text string) { _, _ = io.WriteString(state, text) }

// Format writes a constant, whatever the verb.
func (Question) Format(state fmt.State, _ rune) { show(state, shownQuestion) }

// LogValue is a constant.
func (Question) LogValue() slog.Value { return slog.StringValue(shownQuestion) }

// MarshalText is a constant.
func (Question) MarshalText() ([]byte, error) { return []byte(shownQuestion), nil }

// Format writes a constant, whatever the verb.
func (Principal) Format(state fmt.State, _ rune) { show(state, shownPrincipal) }

// LogValue is a constant.
func (Principal) LogValue() slog.Value { return slog.StringValue(shownPrincipal) }

// MarshalText is a constant: pass on the fields that you mean to pass on.
func (Principal) MarshalText() ([]byte, error) { return []byte(shownPrincipal), nil }

// Format writes a constant, whatever the verb.
func (Claim) Format(state fmt.State, _ rune) { show(state, shownClaim) }

// LogValue is a constant.
func (Claim) LogValue() slog.Value { return slog.StringValue(shownClaim) }

// MarshalText is a constant.
func (Claim) MarshalText() ([]byte, error) { return []byte(shownClaim), nil }

// String is "ALLOW" or "DENY" with the reason, and nothing of whom it is about.
func (d Decision) String() string {
	if d.Allowed() {
		return "ALLOW " + d.Reason()
	}
	return "DENY " + d.Reason()
}

// Format writes the same as String, whatever the verb.
func (d Decision) Format(state fmt.State, _ rune) { show(state, d.String()) }

// LogValue is String.
func (d Decision) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText is String.
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
