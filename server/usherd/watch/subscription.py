"""One living decision: what was told last, and what has happened since."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

from usherd.authenticate.kept_token import KeptToken
from usherd.domain import Decision, Question, Verdict
from usherd.watch.events import Cause
from usherd.watch.judging import Found
from usherd.watch.waves import Wave

if TYPE_CHECKING:
    from usherd.watch.stream import Stream

_LEAST_LOOK = 0.25
"""Seconds between two looks at a key that is about to be trusted no more."""
_LONGEST_LEAD = 60.0
"""Seconds before its end that an expiring decision is told of, at most."""


class Subscription:
    """A question that is kept answered. It has one place for what has happened, however much that is."""

    __slots__ = (
        "cause",
        "closed",
        "decision",
        "explain",
        "failing_since",
        "final",
        "id",
        "kept",
        "keys",
        "look_at",
        "notice_at",
        "public",
        "question",
        "request_id",
        "revision",
        "stream",
        "timer_at",
        "untold",
        "waiting",
        "wave",
    )

    def __init__(self, stream: Stream, number: int, question: Question, explain: bool, request_id: str) -> None:
        self.stream = stream
        self.id = number
        # The text of the token is not kept.
        self.question = question._replace(token="")
        self.explain = explain
        self.request_id = request_id
        self.decision: Decision
        self.kept: KeptToken | None = None
        self.revision = -1
        self.final = False
        self.public = False
        self.keys: frozenset[Hashable] = frozenset()
        """Under which news find it."""
        self.cause: Cause | None = None
        """Why it has to be looked at again."""
        self.wave: Wave | None = None
        """The oldest change that it has to be looked at for."""
        self.failing_since: float | None = None
        """By the stopwatch; None: the last look at it was no fault."""
        self.notice_at = math.inf
        """When it has to be told that the end is near; seconds since the epoch, as the others."""
        self.look_at = math.inf
        """When time alone may have changed it."""
        self.timer_at = math.inf
        """The next time that a timer looks at it; never later than the two above."""
        self.closed = False
        self.untold = True
        """Whether its first decision is still to be told, before anything else of it is."""
        self.waiting = False
        """Whether it has to be looked at as soon as that is told."""

    def take(self, found: Found, now: float) -> None:
        """What was found becomes what is known; the decision only if it was `told`."""
        self.kept = found.kept
        self.revision = max(self.revision, found.revision)
        self.final = found.final
        self.public = found.public
        # A token that is not looked at may be over, and each look that came for its end would bring the next.
        ends_at = math.inf if found.kept is None or found.public else found.kept.ends_at
        self.look_at = min(ends_at, now + max(_LEAST_LOOK, found.key_lasts))

    def lead(self, now: float, share: float) -> None:
        """Sets when the end is told of: up to a minute before, and for short lives a fifth of what is left of them.

        `share`, from 0 to 1, spreads those that end together.
        """
        ends_at = math.inf if self.kept is None else self.kept.ends_at
        if ends_at < math.inf:
            left = max(0.0, ends_at - now)
            self.notice_at = ends_at - min(_LONGEST_LEAD, left / 5) * (0.5 + share / 2)

    def because(self, cause: Cause | None) -> None:
        """It has to be looked at again; of several causes the one counts that says most."""
        if cause is not None and (self.cause is None or _WEIGHT[cause] > _WEIGHT[self.cause]):
            self.cause = cause

    def touched_by(self, wave: Wave | None) -> None:
        """It has to be looked at because of that change, unless one before has not been told yet."""
        if self.wave is None and wave is not None:
            wave.touch()
            self.wave = wave


_WEIGHT = {cause: weight for weight, cause in enumerate((
    Cause.SERVER, Cause.TOKEN_REFUSED, Cause.INTROSPECTION, Cause.TOKEN_EXPIRED, Cause.KEY_REMOVED, Cause.BUDGET,
    Cause.DIRECTORY, Cause.POLICY, Cause.TOKEN_REVOKED, Cause.SESSION_REVOKED,
))}  # fmt: skip


def says_the_same(one: Verdict, other: Verdict) -> bool:
    """Whether a client that holds one verdict need not hear of the other. What they depend on is told by neither."""
    return (
        one.effect is other.effect
        and one.reason is other.reason
        and one.http_status == other.http_status
        and one.principal == other.principal
        and one.resolved_model == other.resolved_model
        and one.limits == other.limits
        and one.explanation == other.explanation
    )
