package usherd

import (
	"slices"
	"strings"
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// EventKind says what has become of a decision.
type EventKind int

const (
	// Unknown: nothing could be learned in time. What runs on the decision has to stop. The last event.
	Unknown EventKind = iota
	// Decided is the first decision. It comes again after a break, if the question had to be asked anew and the answer
	// differs in effect or reason.
	Decided
	// Changed: there is another decision now, allowed or denied. A block can be lifted, so it goes on.
	Changed
	// Expiring: the decision ends at EndsAt; until then it stands.
	Expiring
	// Ended: it has ended for good. Decision is the denial that holds instead. The last event.
	Ended
)

// String is the word that docs/clients.md has for it.
func (k EventKind) String() string {
	switch k {
	case Decided:
		return "decided"
	case Changed:
		return "changed"
	case Expiring:
		return "expiring"
	case Ended:
		return "ended"
	default:
		return "unknown"
	}
}

// Event is what has become of a decision that somebody goes on relying on. The zero Event is not allowed.
type Event struct {
	Kind EventKind
	// Decision is the one that holds now; for an Unknown it is the zero Decision, which is not allowed.
	Decision Decision
	// Cause is the contract's Cause without its prefix, such as "DIRECTORY", for people and logs. Empty: none was told.
	Cause string
	// EndsAt is when an Expiring decision ends.
	EndsAt time.Time
}

// Allowed says whether what runs on the decision may go on.
func (e Event) Allowed() bool {
	switch e.Kind {
	case Decided, Changed, Expiring:
		return e.Decision.Allowed()
	default:
		return false
	}
}

// Last says whether no other event comes after it.
func (e Event) Last() bool { return e.Kind == Unknown || e.Kind == Ended }

func causeWord(cause usherv1.Cause) string {
	if name, ok := usherv1.Cause_name[int32(cause)]; ok && cause != 0 {
		return strings.TrimPrefix(name, "CAUSE_")
	}
	return ""
}

// box has the events that were not taken yet, and of each kind the newest: it is never larger than the kinds are many.
type box []Event

func (b *box) put(event Event) {
	*b = slices.DeleteFunc(*b, func(each Event) bool {
		// A decision in answer to asking anew says all that was to be said.
		return each.Kind == event.Kind || event.Kind == Decided
	})
	*b = append(*b, event)
}
