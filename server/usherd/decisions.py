"""Makes a decision of a verdict: its id, the directory's revision, and how long it may be kept."""

from __future__ import annotations

import asyncio

from usherd.domain import MAX_DEPENDENCIES, Decision, Verdict
from usherd.errors import RevisionNotReached
from usherd.judge import Genuine
from usherd.ports import Clock, Directory, Facts, Keys, NewId
from usherd.reasons import Reason


class Decisions:
    """The decisions of one policy."""

    def __init__(self, keep_for: float, keys: Keys, clock: Clock, new_id: NewId) -> None:
        """`keep_for` is how many seconds an answer may be kept at most."""
        self._keep_for = keep_for
        self._keys = keys
        self._clock = clock
        self._new_id = new_id

    def of(self, verdict: Verdict, holder: Genuine | None, facts: Facts | None) -> Decision:
        """The decision, which holds no longer than the holder's token and its key. Raises KeysUnavailable."""
        now = self._clock()
        keep = 0.0
        if holder is not None:
            keep = min(self._keep_for, holder.expires_at - now)
            if holder.key is not None:
                keep = min(keep, self._keys.usable_for(holder.key))
        elif verdict.reason is Reason.PUBLIC_ROUTE:
            keep = self._keep_for
        revision = "" if facts is None else revision_of(facts)
        keep = max(0.0, keep)
        cacheable = keep > 0 and len(verdict.depends_on) <= MAX_DEPENDENCIES
        return Decision(verdict, self._new_id(), revision, now + keep, cacheable)


async def reach(directory: Directory, at_least: tuple[str, int] | None, patience: float) -> None:
    """Returns when the directory is at least of that (store, revision). Raises RevisionNotReached after `patience`
    seconds, and as `Directory.reach`."""
    if at_least is None:
        return
    try:
        async with asyncio.timeout(patience):
            await directory.reach(*at_least)
    except TimeoutError:
        raise RevisionNotReached from None


def revision_of(facts: Facts) -> str:
    """`store:number` of the directory's state."""
    return f"{facts.store}:{facts.revision}"
