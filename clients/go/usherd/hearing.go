package usherd

import (
	"time"

	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
)

// hear takes in one message of the stream that is open.
func (c *cache) hear(f *feed, message *usherv1.SubscribeResponse, now time.Time) {
	// What was in a buffer while this process stood still may be old.
	if f.silent(now) {
		c.lose(f, true)
		return
	}
	if !f.terms {
		silence, ok := livingTerms(message.GetTerms())
		if !ok {
			c.lose(f, false)
			return
		}
		f.terms, f.silence = true, silence
		f.watch.Reset(silence)
	}
	f.heard = now
	if message.GetId() == 0 {
		if message.GetCheckpoint() == nil {
			c.lose(f, false)
			return
		}
		c.giveUp(now)
		return
	}
	// Of one that was removed there may still be something on its way.
	if e := c.numbered[message.GetId()]; e != nil {
		c.apply(e, message, now)
	}
}

// livingTerms is how long a stream may be silent; false: it is not kept true.
func livingTerms(terms *usherv1.StreamTerms) (time.Duration, bool) {
	silence := terms.GetMaxSilence()
	if terms.GetMode() != usherv1.Mode_MODE_WATCH || silence == nil || !silence.IsValid() {
		return 0, false
	}
	return silence.AsDuration(), silence.AsDuration() > 0
}

// apply takes in what has become of one question.
func (c *cache) apply(e *entry, message *usherv1.SubscribeResponse, now time.Time) {
	if told := message.GetDecision(); told != nil {
		c.first(e, message, told, now)
		return
	}
	if fault := message.GetFault(); fault != nil {
		if e.waits() && fault.GetCode() != usherv1.Code_CODE_RESOURCE_EXHAUSTED {
			c.settle(e, outcome{fault: toldFault(fault)})
		}
		c.forget(e, false)
		return
	}
	about := !e.waits() && message.GetDecisionId() == e.decision.ID()
	switch {
	case about && message.GetChanged() != nil:
		c.count.changed.Add(1)
		decision, fault := decisionOf(message.GetChanged().GetDecision())
		if fault == nil && decision.keepable(now) {
			c.hold(e, decision, now)
			return
		}
		c.forget(e, true)
	case about && message.GetExpiring() != nil:
		// It stands until then.
	case message.GetEnded() != nil:
		c.count.ended.Add(1)
		c.forget(e, false)
	case message.GetResync() != nil:
		c.forget(e, false)
	default:
		// Unset, unknown, about another decision, or before the first: it is not known what holds.
		c.forget(e, true)
	}
}

// first takes in a question's first answer.
func (c *cache) first(e *entry, message *usherv1.SubscribeResponse, told *usherv1.Decision, now time.Time) {
	if !e.waits() || message.GetDecisionId() != told.GetDecisionId() {
		c.forget(e, true)
		return
	}
	decision, fault := decisionOf(told)
	c.settle(e, outcome{decision: decision, fault: fault})
	if fault == nil && decision.keepable(now) {
		c.hold(e, decision, now)
		return
	}
	c.forget(e, true)
}

// giveUp lets those additions go that nobody ever answered, so that there is room for others.
func (c *cache) giveUp(now time.Time) {
	if c.pending == 0 {
		return
	}
	for _, e := range c.numbered {
		if e.waits() && now.Sub(e.added) > longestPending {
			c.forget(e, true)
		}
	}
}
