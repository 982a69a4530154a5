"""What becomes of a question that is watched: frozen events, each of which says whether the request may go on.

`event.allowed` (and `bool(event)`) is True only while the question is surely allowed after the event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from usher_client.decision import Decision
from usher_client.faults import UsherFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The first decision; and again after a break, if the question had to be asked anew and is allowed for another
    reason, or allowed again."""

    decision: Decision

    @property
    def allowed(self) -> bool:
        """Whether the decision allows it."""
        return self.decision.allowed

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Another decision, allowed or denied. More may follow: a block can be lifted."""

    decision: Decision
    """The one that holds from now on."""
    cause: str
    """The contract's Cause without its prefix, such as "DIRECTORY"; UNKNOWN when this client is too old for it, and
    empty when the question had to be asked anew."""

    @property
    def allowed(self) -> bool:
        """Whether the new decision allows it."""
        return self.decision.allowed

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """The decision ends soon; until then it stands."""

    ends_at: datetime
    """When; aware, UTC."""
    cause: str
    """What will end it: as in Changed."""
    allowed: bool
    """Whether the decision that stands allows it."""

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """It has ended for good, and would be denied again. The last event."""

    decision: Decision
    """The denial that holds instead."""
    cause: str
    """What ended it: as in Changed."""

    @property
    def allowed(self) -> bool:
        """Never."""
        return False

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nothing could be learned in time: neither denied nor allowed. The last event."""

    fault: UsherFault = field(repr=False)
    """What the last attempt to learn it ended with."""

    @property
    def allowed(self) -> bool:
        """Never."""
        return False

    def __bool__(self) -> bool:
        return False


Event = Decided | Changed | Expiring | Ended | Unknown
"""One event of a question that is watched."""


class NoLongerAllowed(Exception):
    """What a guarded stream is cut with. `event` says why: a denial (`event.decision`), or Unknown (`event.fault`)."""

    def __init__(self, event: Event) -> None:
        self.event = event
        why = "nobody knows" if self.decision is None else self.decision.reason
        super().__init__(f"no longer allowed ({why})")

    @property
    def decision(self) -> Decision | None:
        """The denial; None when nothing could be learned in time."""
        return None if isinstance(self.event, Unknown | Expiring) else self.event.decision
