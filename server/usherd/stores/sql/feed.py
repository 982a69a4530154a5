"""Follows the change log: what a replica holds becomes what the log says, in order and in whole transactions."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from usherd.changes import Change
from usherd.errors import ChangesCompacted, DirectoryUnavailable, FieldInvalid
from usherd.ports import Stopwatch
from usherd.store import Changes
from usherd.stores.sql.endings import ended
from usherd.stores.sql.entity_map import EntityMap
from usherd.stores.sql.touched import Touched
from usherd.stores.sql.unusable import cause_of
from usherd.stores.told import Tell, Told

BATCH = 1000
"""Changes that are read at a time."""
_FIRST_RETRY = 0.05
_LAST_RETRY = 1.0
_TIMEOUTS = 3
"""So often in a row changes are not read in time before all is read anew instead, if the database answers at all."""

TouchedBy = Callable[[tuple[Change, ...]], Awaitable[Touched]]
"""Works out what changes touch, before the map takes them over; others go on meanwhile."""
Applied = Callable[[Touched | None], None]
"""Hears of what the changes touch that the map has just taken over; None: anything may be another now."""


class Log(Protocol):
    """The change log, as `store.Store` has it."""

    async def head(self) -> int:
        """The revision of the last change. Raises DirectoryUnavailable."""

    async def changes(self, after: int, limit: int = ...) -> Changes:
        """What has changed since. Raises DirectoryUnavailable, ChangesCompacted, FieldInvalid."""


class ChangeFeed:
    """Keeps a map true to the log, and knows since when it may no longer be.

    The log is the truth: being woken only spares time. Whatever fails is tried again, and told once.
    """

    def __init__(
        self,
        log: Log,
        entities: EntityMap,
        *,
        at_head: float = -math.inf,
        max_staleness: float,
        every: float,
        stopwatch: Stopwatch,
        touched_by: TouchedBy,
        applied: Applied,
        tell: Tell = lambda works, fields: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """The map is known to be true to the log of the moment `at_head`. `every` is how many seconds pass at most
        between two reads. `applied` hears of each change, in order, as `touched_by` has it; `tell` of failures and
        their end.
        """
        self._log = log
        self._entities = entities
        self._max_staleness = max_staleness
        self._every = every
        self._stopwatch = stopwatch
        self._touched_by = touched_by
        self._applied = applied
        self._told = Told(stopwatch, tell)
        self._jitter = jitter
        self._at_head = at_head
        self._mark: float | None = None
        """When the last change that the map has was committed; None: that is not known."""
        self._timeouts = 0
        """How often in a row what has changed could not be read in time."""
        self._ending = False
        self._woken = asyncio.Event()
        self._moved = asyncio.Event()
        self._read = asyncio.Event()
        self.changes = 0
        """Changes that were applied."""
        self.resyncs = 0
        """How often everything was dropped, because what had changed was no longer known."""

    @property
    def lag(self) -> float:
        """Seconds since the map was known to be true to the log; infinite: it never was."""
        return self._stopwatch() - self._at_head

    @property
    def fresh(self) -> bool:
        """Whether what the map has may be told: it was true to the log not longer ago than may be."""
        return self._stopwatch() - self._at_head <= self._max_staleness

    def check(self) -> None:
        """Raises DirectoryUnavailable unless it is fresh."""
        if not self.fresh:
            raise DirectoryUnavailable

    def wake(self) -> None:
        """There may be something in the log."""
        self._woken.set()

    async def reach(self, revision: int, life: object | None = None) -> None:
        """Returns when the map is at least of that revision. It may wait for ever.

        With `life`, the revision is of that life of the map, and nobody waits beyond its end: raises
        DirectoryUnavailable then.
        """
        entities = self._entities
        if entities.revision < revision:
            self.wake()
        while entities.revision < revision and life in (None, entities.life):
            await self._moved.wait()
        if life not in (None, entities.life):
            raise DirectoryUnavailable

    async def catch_up(self) -> None:
        """Returns when the log has been read to its head once more. It may wait for ever."""
        asked = self._stopwatch()
        while self._at_head < asked:
            self.wake()
            await self._read.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It follows the log as long as the block lasts."""
        following = asyncio.create_task(self._follow(), name="change feed")
        try:
            yield
        finally:
            self._ending = True
            self._woken.set()
            await ended([following])

    async def _follow(self) -> None:
        failures = 0
        while not self._ending:
            self._woken.clear()
            try:
                await self._read_to_head()
            except Exception as error:  # whatever it is: a feed that ends would leave a replica without a directory
                self._told.failed({"cause": cause_of(error)})
                pause = min(_LAST_RETRY, self._every, _FIRST_RETRY * 2**failures)
                await asyncio.sleep(0 if self._ending else pause * (0.5 + self._jitter()))
                failures = min(failures + 1, 10)
                continue
            failures = 0
            self._told.succeeded()
            read, self._read = self._read, asyncio.Event()
            read.set()
            if not self._ending:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await self._woken.wait()

    async def _read_to_head(self) -> None:
        while True:
            begun = self._stopwatch()
            try:
                async with asyncio.timeout(self._max_staleness):
                    found = await self._log.changes(self._entities.revision, BATCH)
            except (ChangesCompacted, FieldInvalid):
                # Either it has been away for too long, or the log has lost its end: a database that was restored.
                await self._begin_anew()
                continue
            except TimeoutError:
                # One transaction may have changed more than can be read in time, and would never be behind us.
                self._timeouts += 1
                if self._timeouts < _TIMEOUTS:
                    raise
                await self._begin_anew()
                continue
            if self._mark is not None and found.mark != self._mark:
                # Restored, too, and has been written to since until its revisions were as high as here; where that is
                # no longer known, it may have been.
                await self._begin_anew()
                continue
            self._timeouts = 0
            touched = await self._touched_by(found.changes)
            self._mark = found.changes[-1].committed_at if found.changes else found.mark
            self._apply(found, touched)
            if found.through >= found.head:
                self._at_head = begun
                return

    async def _begin_anew(self) -> None:
        async with asyncio.timeout(self._max_staleness):
            head = await self._log.head()
        self._entities.forget(head)
        self._mark = None
        self._timeouts = 0
        self.resyncs += 1
        self._tell(None)

    def _apply(self, found: Changes, touched: Touched) -> None:
        if found.through <= self._entities.revision:
            return
        since = ((change.revision, lookup) for change in found.changes for lookup in change.lookups)
        self._entities.apply(found.through, since)
        self.changes += len(found.changes)
        self._tell(touched)

    def _tell(self, touched: Touched | None) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        self._applied(touched)
