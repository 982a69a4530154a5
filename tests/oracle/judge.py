"""Says of each answered call whether usherd may answer so: the set of what it may is as small as can be known.

A token that must not pass is never allowed. A good one is never denied, and no answer (UNAVAILABLE) is given exactly
when the keys that are known are past their stale bound, or none were ever loaded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from oracle.timeline import PATIENCE, SLACK, KeyHistory, KeyState, Reload, options
from tools.faults import Fault
from tools.key_server import KeyServer

ALLOWED = "ALLOWED"
NO_KEYS = "UNAVAILABLE KEYS_UNAVAILABLE"
CLOCK_STEP = 0.02
"""Seconds by which two readings of clocks of one machine may differ, rounding included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, and all that is wrong with it."""

    text: str = field(repr=False)
    provider: str
    kid: str
    expires: float
    """By the monotonic clock."""
    signed: bool = True
    """Whether the key of that id has signed it as it is."""
    for_us: bool = True
    kind: str = "good"


class Call(NamedTuple):
    """A call that was answered."""

    token: Token
    model: str
    began: float
    ended: float
    outcome: str
    """`ALLOWED`, the reason of a denial, or the status and reason of a fault: UNAVAILABLE KEYS_UNAVAILABLE."""


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """What the policy grants, and since when."""

    models: frozenset[str]
    reload: Reload


@dataclass
class Watched:
    """One provider, with what it has done."""

    server: KeyServer
    history: KeyHistory
    keys_path: str
    fault: Fault | None = None
    healthy_since: float = -math.inf
    """Since when nothing fails; infinite while something does."""
    published: dict[str, float] = field(default_factory=dict)
    """Since when each key is published."""

    def refresh_must_come(self, kid: str, began: float, ended: float) -> bool:
        """Whether a call with that unknown key id must have led to the key: nothing stood in the way of asking."""
        rules = self.history.rules
        quiet = began - rules.cooldown - SLACK
        # After a fault the provider may have asked to be left alone for as long as a refresh is due.
        if self.healthy_since + rules.every + SLACK > began or self.published.get(kid, math.inf) > quiet:
            return False
        if any(
            quiet < reload.doubts(self.history.deadline) and reload.asked < ended for reload in self.history.reloads
        ):
            return False
        if any(quiet < request.at < began for request in reversed(self.server.requests[-20:])):
            return False
        return ended - began < PATIENCE * 0.8

    def overdue(self, states: Sequence[KeyState | None], began: float) -> bool:
        """Whether a refresh should have come that did not: nothing failed for as long as one may take to come."""
        rules = self.history.rules
        due = rules.every + rules.timeout + 2 * SLACK
        newest = states[-1].fetched if states[-1] is not None else -math.inf
        return newest + due < began and self.healthy_since + due < began


class Oracle:
    """Knows what was valid when."""

    def __init__(self, providers: dict[str, Watched], policies: list[PolicyInForce]) -> None:
        """`policies` grows as the configuration changes; the first was in force from the start."""
        self.providers = providers
        self.policies = policies

    def acceptable(self, call: Call) -> frozenset[str]:
        """The outcomes that the call may have."""
        watched = self.providers[call.token.provider]
        watched.history.read(watched.server.served, watched.keys_path)
        states = watched.history.possible(call.began, call.ended)
        if watched.overdue(states, call.began):
            # What usherd should know by now is what it is judged by.
            states = [KeyState(call.began, frozenset(watched.published), {})]
        found: set[str] = set()
        for state in states:
            found |= set(self._in(state, call, watched))
        return frozenset(found)

    def _in(self, state: KeyState | None, call: Call, watched: Watched) -> Iterator[str]:
        rules, token = watched.history.rules, call.token
        if state is None:
            yield NO_KEYS
            return
        began, ended = call.began - CLOCK_STEP, call.ended + CLOCK_STEP
        stale = state.fetched + rules.stale_after
        for is_stale in options(stale - SLACK, stale, began, ended):
            if is_stale:
                yield NO_KEYS
                continue
            for known in self._knows(state, call, watched):
                if not known:
                    yield "UNKNOWN_KEY"
                elif not token.signed:
                    yield "SIGNATURE_INVALID"
                else:
                    for expired in options(token.expires, token.expires, began, ended):
                        yield from ["TOKEN_EXPIRED"] if expired else self._granted(call)

    def _knows(self, state: KeyState, call: Call, watched: Watched) -> frozenset[bool]:
        kid = call.token.kid
        if kid in state.published:
            return frozenset({True})
        if (seen := state.removed.get(kid)) is not None:
            end = seen + watched.history.rules.removed_grace
            over = options(end - SLACK, end, call.began - CLOCK_STEP, call.ended + CLOCK_STEP)
            return frozenset(not each for each in over)
        return frozenset({watched.refresh_must_come(kid, call.began, call.ended)})

    def _granted(self, call: Call) -> Iterator[str]:
        if not call.token.for_us:
            yield "AUDIENCE_MISMATCH"
            return
        nothing = PolicyInForce(frozenset(), Reload(math.inf))
        for policy, following in itertools.pairwise([*self.policies, nothing]):
            if policy.reload.asked <= call.ended and call.began < following.reload.done:
                yield ALLOWED if call.model in policy.models else "MODEL_NOT_GRANTED"
