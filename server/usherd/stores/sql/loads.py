"""Loads what readers miss: each look-up once, whoever asks for it, and nothing into the map that has changed since."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from usherd.changes import Lookup
from usherd.errors import DirectoryUnavailable
from usherd.ports import Wanted
from usherd.stores.sql.endings import ended
from usherd.stores.sql.entity_map import UNKNOWN, EntityMap, Unknown
from usherd.stores.sql.needs import Gathered, gather
from usherd.stores.sql.snapshot import Found

STEPS = 8
"""How often rows that were found may name further ones: a user names teams, which name organizations, whose budgets
are looked up. Fewer happen; a question that takes more cannot be answered."""


class Snapshot(Protocol):
    """The directory at one revision."""

    revision: int

    async def find(self, lookups: Sequence[Lookup]) -> dict[Lookup, Found]:
        """What these find. Raises DirectoryUnavailable."""


TakeSnapshot = Callable[[], AbstractAsyncContextManager[Snapshot]]
"""Takes a snapshot when the block begins. Raises DirectoryUnavailable."""


Reach = Callable[[int, object], Awaitable[None]]
"""Returns when the map is at least of that revision of that life. Raises DirectoryUnavailable when that life is over:
who waited on would hold up all who want the same."""


class Loads:
    """The loads of one map. They go on when whoever began them is gone: others may wait for them, too."""

    def __init__(self, entities: EntityMap, take: TakeSnapshot, reach: Reach) -> None:
        """`reach` as `ChangeFeed.reach`."""
        self._entities = entities
        self._take = take
        self._reach = reach
        self._flights: dict[Lookup, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.begun = 0
        """Loads so far."""

    async def load(self, wanted: Sequence[Wanted], bare_ids_for: str | None, missing: Sequence[Lookup]) -> None:
        """Returns when what is missing has been loaded, by this or by another question, and with it as much as can be
        told of what these questions need besides. It may be gone from the map again, or not have got in.

        Raises DirectoryUnavailable, to all who wait for the load that failed.
        """
        ours = [key for key in missing if key not in self._flights]
        waited = {flight for key in missing if (flight := self._flights.get(key)) is not None}
        if ours:
            claimed: dict[Lookup, None] = {}
            flight = asyncio.create_task(self._fly(wanted, bare_ids_for, ours, claimed), name="load")
            self._running.add(flight)
            self._claim(ours, claimed, flight)
            flight.add_done_callback(lambda done: self._landed(done, claimed))
            waited.add(flight)
            self.begun += 1
        # A wait that is cancelled, or has taken too long, leaves the flights as they are.
        await asyncio.wait(waited)
        for flight in waited:
            _raise_failure(flight)

    async def alone(self, wanted: Sequence[Wanted], bare_ids_for: str | None) -> tuple[int, Gathered]:
        """What these questions need, all of it from one snapshot, and the snapshot's revision: for questions whose rows
        change as fast as they are loaded, or are more than the map can hold. Raises DirectoryUnavailable."""
        self.begun += 1
        found: dict[Lookup, Found] = {}

        def known(key: Lookup) -> Found | Unknown:
            return found.get(key, UNKNOWN)

        async with self._take() as snapshot:
            for _ in range(STEPS):
                gathered = gather(wanted, bare_ids_for, known)
                if not gathered.missing:
                    return snapshot.revision, gathered
                found |= await snapshot.find(gathered.missing)
        raise DirectoryUnavailable

    async def close(self) -> None:
        """Returns when nothing is being loaded any more."""
        await ended(tuple(self._running))

    async def _fly(
        self, wanted: Sequence[Wanted], bare_ids_for: str | None, ours: list[Lookup], claimed: dict[Lookup, None]
    ) -> None:
        flight = asyncio.current_task()
        found: dict[Lookup, Found] = {}
        life = self._entities.life

        def known(key: Lookup) -> Found | Unknown:
            return found[key] if key in found else self._entities.peek(key)

        with self._entities.fence() as fence:
            async with self._take() as snapshot:
                for _ in range(STEPS):
                    found |= await snapshot.find(ours)
                    # What others load already is theirs: to wait for it here, two could wait for each other.
                    missing = gather(wanted, bare_ids_for, known).missing
                    ours = [key for key in missing if key not in self._flights]
                    if not ours:
                        break
                    self._claim(ours, claimed, flight)
            await self._reach(snapshot.revision, life)
            self._entities.store(snapshot.revision, found, fence)

    def _claim(self, keys: list[Lookup], claimed: dict[Lookup, None], flight: asyncio.Task[None] | None) -> None:
        if flight is not None:
            claimed.update(dict.fromkeys(keys))
            self._flights.update(dict.fromkeys(keys, flight))

    def _landed(self, flight: asyncio.Task[None], claimed: dict[Lookup, None]) -> None:
        self._running.discard(flight)
        for key in claimed:
            self._flights.pop(key, None)
        if not flight.cancelled():
            # Looked at even when nobody waits for it any more.
            flight.exception()


def _raise_failure(flight: asyncio.Task[None]) -> None:
    """Each who waits gets an exception of their own: one that many raised would grow with each of them."""
    failure = None if flight.cancelled() else flight.exception()
    if flight.cancelled() or failure is not None:
        raise DirectoryUnavailable from (None if failure is None else failure.__cause__ or failure)
