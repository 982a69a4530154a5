"""Bounds how much of the directory tokens can bring about."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence, Set

from usherd.errors import Overloaded
from usherd.facts import Write, WriteKind
from usherd.policy import Policy, ProvisionRules
from usherd.ports import Provisioning, Stopwatch

MINUTE = 60.0
"""Seconds over which rows are counted."""

_CREATIONS = frozenset({WriteKind.CREATE_USER, WriteKind.CREATE_TEAM})

_Row = tuple[WriteKind, str]
"""What is done, and the id of the row that it is done to."""


class Bounded:
    """A provisioning that is asked for so many rows in any minute at most; beyond that there is no answer.

    A row that is to be created again within the minute is not counted again, since it changes nothing: somebody whose
    row can never be written, because another has its id, would use up what is there for all. Rows are counted when
    they are asked for, whatever becomes of them.
    """

    def __init__(
        self,
        provisioning: Provisioning,
        per_minute: int,
        stopwatch: Stopwatch,
        kinds: Set[WriteKind] = frozenset(WriteKind),
    ) -> None:
        """`per_minute`, 1 or more, bounds writes of these kinds together; all others pass."""
        self._provisioning = provisioning
        self._per_minute = per_minute
        self._stopwatch = stopwatch
        self._kinds = kinds
        self._recent: deque[tuple[float, _Row]] = deque()
        """What was counted in the last minute, oldest first; never more than `per_minute`, or than one call's."""
        self._created: set[_Row] = set()
        """Those of them that are created."""

    async def write(self, writes: Sequence[Write]) -> None:
        """As the provisioning that it bounds. Raises Overloaded, and then nothing is written, beyond the bound.

        More rows than a minute may have pass after a minute without any: they would never pass otherwise.
        """
        now = self._stopwatch()
        while self._recent and now - self._recent[0][0] >= MINUTE:
            self._created.discard(self._recent.popleft()[1])
        creations = {(write.kind, write.row.id) for write in writes if write.kind in _CREATIONS & self._kinds}
        counted = [*(creations - self._created)]
        counted += [(write.kind, write.row.id) for write in writes if write.kind in self._kinds - _CREATIONS]
        if self._recent and len(self._recent) + len(counted) > self._per_minute:
            raise Overloaded
        self._recent.extend((now, row) for row in counted)
        self._created |= creations
        await self._provisioning.write(writes)


def bounded(provisioning: Provisioning, policy: Policy, stopwatch: Stopwatch) -> Provisioning:
    """The provisioning within the policy's bounds: one for each kind of write, so that none uses up another's.

    Where the policy provisions no users, their roles and teams may still be kept in step, within the usual bound.
    """
    users, teams = policy.users.provision or ProvisionRules(), policy.teams.provision or ProvisionRules()
    for per_minute, kind in (
        (users.per_minute, WriteKind.CREATE_USER),
        # Somebody whose tokens disagree can have a row changed with every question, and must not keep others out.
        (users.per_minute, WriteKind.UPDATE_USER),
        (teams.per_minute, WriteKind.CREATE_TEAM),
    ):
        provisioning = Bounded(provisioning, per_minute, stopwatch, {kind})
    return provisioning
