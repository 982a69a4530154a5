"""What was written when, and what may therefore be answered: the oracle of the chaos.

A subject is a question whose answer hangs on one thing that is written again and again: a team's block, a team's
budget, a token's revocation. One writer has each subject, and begins no write before the one before is known to be
made, so that the only doubt is when exactly, between the call and its answer, a write became true. Times are of the
monotonic clock.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

SLACK = 0.1
"""Seconds by which two readings of clocks of one machine may differ, rounding and a busy machine's pauses included."""


class Kind(StrEnum):
    """What closes a subject."""

    BLOCK = "block"
    BUDGET = "budget"
    REVOCATION = "revocation"


@dataclass(slots=True)
class Write:
    """One write, or the state from which a subject began."""

    closed: bool
    began: float
    ended: float = math.inf
    """When it was answered; infinite until then."""
    revision: int = 0
    """Since when it is true, as answered; 0 until then."""
    token: str = ""
    """The revision as it was answered, to be asked for."""
    calm: bool = False
    """Whether nothing failed around it, so that it can tell how long news take."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody who watches was told of a subject."""

    watcher: int
    at: float
    closed: bool
    revision: int
    """0: of a denial that has not read the directory."""

    def knows(self, write: Write) -> bool:
        """Whether it is of that write, or of a later one."""
        if self.revision:
            return self.revision >= write.revision
        return self.closed is write.closed and self.at > write.began


@dataclass(slots=True, eq=False)
class Subject:
    """One question."""

    name: str
    kind: Kind
    token: str = field(repr=False)
    writes: list[Write] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)

    def begin(self, at: float, *, closed: bool, calm: bool = False) -> Write:
        """A write begins."""
        write = Write(closed, at, calm=calm)
        self.writes.append(write)
        return write

    def possible(self, since: float, until: float) -> frozenset[bool]:
        """The states, closed or not, that can have been true at some moment between these two."""
        found = set()
        for number, write in enumerate(self.writes):
            last = number + 1 == len(self.writes)
            if write.began <= until and (last or self.writes[number + 1].ended >= since):
                found.add(write.closed)
        return frozenset(found)

    def at_revision(self, revision: int) -> frozenset[bool]:
        """The states that can be true at that revision."""
        found: set[bool] = set()
        for number, write in enumerate(self.writes):
            if write.ended < math.inf and write.revision <= revision:
                found = {write.closed}
            elif write.ended == math.inf and number + 1 == len(self.writes):
                # Nobody knows yet which revision it has.
                found.add(write.closed)
        return frozenset(found)

    @property
    def state(self) -> bool:
        """Whether it is closed, by what was written last."""
        return self.writes[-1].closed

    @property
    def settled(self) -> bool:
        """Whether no write is under way."""
        return self.writes[-1].ended < math.inf


class Ledger:
    """All subjects, and the revisions that were answered."""

    def __init__(self, max_staleness: float) -> None:
        """`max_staleness` is that of the replicas, in seconds."""
        self.max_staleness = max_staleness
        self.subjects: list[Subject] = []
        self._answered: list[float] = []
        self._newest: list[int] = []

    def add(self, name: str, kind: Kind, token: str, at: float) -> Subject:
        """Another subject, which is open from the beginning."""
        subject = Subject(name, kind, token, [Write(closed=False, began=at, ended=at, revision=0)])
        self.subjects.append(subject)
        return subject

    def made(self, write: Write, at: float, revision: int, token: str = "") -> None:
        """The write was answered: it is true since that revision, for good."""
        write.ended, write.revision, write.token = at, revision, token
        self.known(at, revision)

    def known(self, at: float, revision: int) -> None:
        """That revision was answered: from now on everybody may be asked for it."""
        self._answered.append(at)
        self._newest.append(max(revision, self._newest[-1] if self._newest else 0))

    def revision_by(self, at: float) -> int:
        """The newest revision that was answered by then."""
        place = bisect.bisect_right(self._answered, at)
        return self._newest[place - 1] if place else 0

    def acknowledged(self) -> Iterator[int]:
        """The revisions of all writes that were answered."""
        for subject in self.subjects:
            for write in subject.writes:
                if write.revision:
                    yield write.revision

    def answer_is_right(self, subject: Subject, *, closed: bool, asked: float, answered: float) -> bool:
        """Whether a replica may have answered so: what it knows may be `max_staleness` old when it answers."""
        since = asked - self.max_staleness - SLACK
        return closed in subject.possible(since, answered)

    def is_as_fresh(self, subject: Subject, write: Write, *, closed: bool, answered: float) -> bool:
        """Whether a replica may have answered so that was asked for the revision of that write."""
        return closed in subject.possible(write.ended, answered)

    def fits_revision(self, subject: Subject, *, closed: bool, revision: int) -> bool:
        """Whether that is the answer at that revision. 0 is that of a denial which has not read the directory."""
        return (closed and revision == 0) or closed in subject.at_revision(revision)

    def checkpoint_is_fresh(self, revision: int, sent: float) -> bool:
        """Whether a replica that has read the log within `max_staleness` before can have sent it, not before `sent`."""
        return revision >= self.revision_by(sent - self.max_staleness - SLACK)
