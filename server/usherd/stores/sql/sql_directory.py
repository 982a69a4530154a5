"""The directory that is kept in a database, as a replica reads it and as answers have it written to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import NamedTuple
from weakref import WeakSet

from usherd.changes import Change, Listening, Lookup, News
from usherd.errors import DirectoryUnavailable, Precondition
from usherd.facts import Write
from usherd.history import History
from usherd.ports import Stopwatch, Wanted
from usherd.stores.announcer import Announcer
from usherd.stores.sql.entity_map import EntityMap
from usherd.stores.sql.feed import ChangeFeed
from usherd.stores.sql.housekeeping import keep_house
from usherd.stores.sql.loads import Loads
from usherd.stores.sql.needs import gather
from usherd.stores.sql.snapshot import Found, snapshot_of
from usherd.stores.sql.sql_facts import SqlFacts
from usherd.stores.sql.sql_store import SqlStore
from usherd.stores.sql.touched import Touched
from usherd.stores.sql.unusable import cause_of
from usherd.stores.sql.wakes import woken
from usherd.stores.told import Tell, Told

ROUNDS = 4
"""How often a question looks for its rows and finds that some have changed, or have gone, since they were loaded; then
it reads all of them for itself."""
PATIENCE = 5.0
"""Seconds that a question waits for its rows at most."""
LOOKED_EVERY = 0.2
"""Seconds after which an SQLite is asked for changes, which it never tells of; a PostgreSQL is asked less often."""


class Reading(NamedTuple):
    """How a replica reads its directory. Times in seconds."""

    max_staleness: float = 5.0
    """What was true to the store longer ago is not told any more."""
    entities: int = 100_000
    """Look-ups whose findings are held in memory, at most."""


USUAL = Reading()


class Held(NamedTuple):
    """What a replica has of the directory, in numbers."""

    entities: int
    hits: int
    misses: int
    loads: int
    discarded: int
    """Rows that were loaded, and had changed before the load ended."""
    changes: int
    resyncs: int
    lag: float
    """Seconds since it was known to be true to the store."""


class SqlDirectory:
    """What all houses share: the map, and the feed that keeps it true. Use `opened_directory`."""

    def __init__(
        self, store: SqlStore, revision: int, at: float, reading: Reading, stopwatch: Stopwatch, tell: Tell
    ) -> None:
        """The map begins with nothing in it, at that revision, which was the store's last at that moment."""
        database = store.database
        self.store = store
        self.entities = EntityMap(reading.entities, revision)
        often = min(1.0, reading.max_staleness / 5) if database.is_postgresql else LOOKED_EVERY
        self.feed = ChangeFeed(
            store,
            self.entities,
            at_head=at,
            max_staleness=reading.max_staleness,
            every=often,
            stopwatch=stopwatch,
            touched_by=self._touched_by,
            applied=self._applied,
            tell=tell,
        )
        self.loads = Loads(self.entities, lambda: snapshot_of(database), self.feed.reach)
        self._announcer = Announcer()
        self._houses: WeakSet[HouseDirectory] = WeakSet()
        self._bare_ids_for: str | None = None

    def listen(self, hear: Listening) -> Callable[[], None]:
        """`hear` is told of every change from now on, until what is returned is called. Facts of that revision can be
        read then."""
        return self._announcer.listen(hear)

    def house(self, bare_ids_for: str | None) -> HouseDirectory:
        """The directory for a house whose policy's only issuer has that name; None: it has several."""
        made = HouseDirectory(self, bare_ids_for)
        self._houses.add(made)
        return made

    def answer_for(self, bare_ids_for: str | None) -> None:
        """From now on, what is told of changes is told in the words of a policy with that only issuer."""
        changed = bare_ids_for != self._bare_ids_for
        self._bare_ids_for = self.store.bare_ids_for = bare_ids_for
        if changed:
            now = self.store.database.clock()
            self._announcer.tell(News(self.entities.revision, None, (), now, told_anew=True))

    def held(self) -> Held:
        """What it has, in numbers."""
        entities, feed = self.entities, self.feed
        return Held(
            entities=len(entities),
            hits=entities.hits,
            misses=entities.misses,
            loads=self.loads.begun,
            discarded=entities.discarded,
            changes=feed.changes,
            resyncs=feed.resyncs,
            lag=feed.lag,
        )

    async def _touched_by(self, changes: tuple[Change, ...]) -> Touched:
        issuers = {self._bare_ids_for, *(house.bare_ids_for for house in self._houses)}
        return await Touched.by(changes, issuers)

    def _applied(self, touched: Touched | None) -> None:
        revision, now = self.entities.revision, self.store.database.clock()
        for house in self._houses:
            house.moved(revision, touched)
        if touched is None:
            self._announcer.tell(News(revision, None, (), now))
            return
        committed_at = min((change.committed_at for change in touched.changes), default=now)
        self._announcer.tell(News(revision, touched.refs(self._bare_ids_for), touched.lookups, committed_at))


class HouseDirectory:
    """The directory under one policy: `ports.Directory` and `ports.Provisioning`."""

    def __init__(self, directory: SqlDirectory, bare_ids_for: str | None) -> None:
        """As `SqlDirectory.house`."""
        self._directory = directory
        self._entities = directory.entities
        self._feed = directory.feed
        self.bare_ids_for = bare_ids_for
        self._id = directory.store.id
        self._history = History(self._entities.revision)
        self._nothing = self._facts({})

    def moved(self, revision: int, touched: Touched | None) -> None:
        """The map is of that revision now, and that is another since; None: anything may be."""
        if touched is None:
            self._history = History(revision)
        else:
            self._history.note(revision, touched.refs(self.bare_ids_for))
        self._nothing = self._facts({})

    async def facts(self, wanted: Sequence[Wanted]) -> SqlFacts:
        """As `ports.Directory.facts`."""
        self._feed.check()
        gathered = gather(wanted, self.bare_ids_for, self._entities.get)
        if not gathered.missing:
            return self._facts(gathered.found)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._loaded(wanted, gathered.missing)
        except TimeoutError:
            raise DirectoryUnavailable from None

    async def _loaded(self, wanted: Sequence[Wanted], missing: Sequence[Lookup]) -> SqlFacts:
        for _ in range(ROUNDS):
            await self._directory.loads.load(wanted, self.bare_ids_for, missing)
            self._feed.check()
            # All at once and without waiting: everything in the map is of one revision.
            gathered = gather(wanted, self.bare_ids_for, self._entities.peek)
            if not gathered.missing:
                return self._facts(gathered.found)
            missing = gathered.missing
        life = self._entities.life
        revision, gathered = await self._directory.loads.alone(wanted, self.bare_ids_for)
        # As ever, nothing is told that is newer than what listeners have heard of, nor what was read before all of that
        # was forgotten: it would count as a part of the history that began then.
        await self._feed.reach(revision, life)
        self._feed.check()
        if self._entities.revision == revision:
            return self._facts(gathered.found)
        return SqlFacts(
            store=self._id,
            revision=revision,
            history=self._history,
            bare_ids_for=self.bare_ids_for,
            found=gathered.found,
        )

    def at_hand(self) -> SqlFacts | None:
        """As `ports.Directory.at_hand`."""
        return self._nothing if self._feed.fresh else None

    async def reach(self, store: str, revision: int) -> None:
        """As `ports.Directory.reach`."""
        if store != self._id:
            raise Precondition
        self._feed.check()
        await self._feed.reach(revision)

    async def write(self, writes: Sequence[Write]) -> None:
        """As `ports.Provisioning.write`. What was written can be read then, unless the store is away again."""
        await self._directory.store.write(writes)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._feed.catch_up()

    def _facts(self, found: Mapping[Lookup, Found]) -> SqlFacts:
        return SqlFacts(
            store=self._id,
            revision=self._entities.revision,
            history=self._history,
            bare_ids_for=self.bare_ids_for,
            found=found,
        )


@asynccontextmanager
async def opened_directory(
    store: SqlStore, reading: Reading = USUAL, *, stopwatch: Stopwatch = time.monotonic, tell: Tell
) -> AsyncIterator[SqlDirectory]:
    """The directory in that store, true to it as long as the block lasts. `tell` hears when it fails to be, and when it
    works again. Raises DirectoryUnavailable."""
    begun = stopwatch()
    directory = SqlDirectory(store, await store.head(), begun, reading, stopwatch, tell)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(directory.loads.close)
        store.database.on_commit = directory.feed.wake
        store.database.on_write = _telling(Told(stopwatch, tell))
        await stack.enter_async_context(directory.feed.running())
        await stack.enter_async_context(woken(store.database, directory.feed.wake))
        await stack.enter_async_context(keep_house(store, stopwatch=stopwatch, tell=tell))
        yield directory


def _telling(told: Told) -> Callable[[DirectoryUnavailable | None], None]:
    """Writes that fail while reading goes on, as where a disk is full, would be known to their callers alone."""

    def written(failure: DirectoryUnavailable | None) -> None:
        if failure is None:
            told.succeeded()
        else:
            told.failed({"cause": cause_of(failure)})

    return written
