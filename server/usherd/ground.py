"""The directory that all houses stand on: it stays, with what is in it, when another house answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from usherd.changes import Listening
from usherd.config.catalogue import MAX_KEPT_MODELS
from usherd.config.problems import Problem
from usherd.config.settings import Settings, StoreSettings
from usherd.errors import DirectoryUnavailable
from usherd.facts import Rows
from usherd.ports import Directory, Provisioning
from usherd.revocation_store import RevocationStore
from usherd.revoked import RevokedTokens
from usherd.store import ModelRow, Store
from usherd.stores.budgets import Budget
from usherd.stores.followed_revocations import followed_revocations
from usherd.stores.heard import HeardRevocations, HeardStore
from usherd.stores.kept_sessions import KeptSessions, kept_sessions
from usherd.stores.memory_directory import MemoryDirectory, Prepared, new_store_id
from usherd.stores.pinned_directory import PinnedDirectory
from usherd.stores.sql.database import Database, opened_database
from usherd.stores.sql.models import models_in
from usherd.stores.sql.revocations import SqlRevocations
from usherd.stores.sql.seeding import seed
from usherd.stores.sql.session_keys import SqlSessionKeys
from usherd.stores.sql.sessions import SqlSessions
from usherd.stores.sql.sql_directory import Held, Reading, SqlDirectory, opened_directory
from usherd.stores.sql.sql_store import store_in

_PATIENCE = 10.0
"""Seconds that reading a catalogue takes at most."""

_log = structlog.stdlib.get_logger("usherd.app")


class HouseDirectory(Directory, Provisioning, Protocol):
    """The directory as the questions of one house meet it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKept:
    """What houses share that comes from a store."""

    token_key: bytes = field(repr=False)
    """What ids of tokens are made with, on every replica and for good."""
    revoked: RevokedTokens
    """The list of revoked tokens."""
    sessions: KeptSessions | None = None
    """Sessions of the user interface; None: usherd makes none."""


class Look(NamedTuple):
    """What is told of a directory."""

    revision: int
    rows: Mapping[str, int]
    """How many there are of each kind; empty where they are not counted."""
    held: Held | None
    """What a replica has of a directory that is kept; None: it is in memory."""


class Step(Protocol):
    """A move that can be made at any moment, without waiting."""

    def take(self) -> None:
        """Makes it: from now on the directory is the next house's."""


class Ground(Protocol):
    """The directory, and the way from one house to the next."""

    @property
    def store(self) -> Store | None:
        """What keeps it for good; None: nothing does."""

    @property
    def revocations(self) -> RevocationStore | None:
        """What keeps the list of revoked tokens; None: nothing does."""

    @property
    def kept(self) -> SharedKept | None:
        """What comes from the store; None: there is none."""

    @property
    def fresh(self) -> bool:
        """Whether it can be told from, and which tokens are revoked is known."""

    def look(self) -> Look:
        """What it has."""

    def listen(self, hear: Listening) -> Callable[[], None]:
        """`hear` is told of every change, whichever house answers, until what is returned is called."""

    def house(self, settings: Settings) -> HouseDirectory:
        """The directory for a house of that configuration."""

    def refuses(self, before: Settings, after: Settings) -> list[Problem]:
        """Why a house of the second configuration cannot come after one of the first."""

    async def step(self, before: Settings, after: Settings, old: HouseDirectory) -> Step:
        """Prepares the move between houses of these configurations; `old` is the first one's directory."""

    async def models(self) -> tuple[ModelRow, ...]:
        """The catalogue that the store keeps, sorted by name; of a very large one, no more than shows that it is too
        large. Raises DirectoryUnavailable."""


@asynccontextmanager
async def opened_ground(settings: Settings) -> AsyncIterator[Ground]:
    """The directory that this configuration names.

    Raises DatabaseUnusable, KeysSealedAway, and DirectoryUnavailable when it is kept in a database that cannot be
    reached.
    """
    kept = settings.store
    if kept is None:
        yield MemoryGround(settings)
        return
    async with AsyncExitStack() as stack:
        # An SQLite is this machine's alone; with others, somebody has to say when all of them can be upgraded.
        alone = kept.url.startswith("sqlite:")
        database = await stack.enter_async_context(opened_database(kept.url, upgrade=alone, create=True))
        store = await stack.enter_async_context(store_in(database, bare_ids_for=settings.only_issuer))
        rows = settings.directory
        if await seed(database, rows):
            _log.info("directory_seeded", teams=len(rows.teams), users=len(rows.users))
        elif rows != Rows():
            _log.info("directory_seed_left_aside", store=store.id)
        await store.set_global(budget_of_all(settings))
        reading = Reading(max_staleness=kept.max_staleness, entities=kept.entities)
        shared = await stack.enter_async_context(opened_directory(store, reading, tell=_tell))
        shared.answer_for(settings.only_issuer)
        revocations = SqlRevocations(database)
        # Before all others that listen: whoever hears of a revocation later finds it in the list.
        follow = followed_revocations(revocations, shared.listen, lambda: shared.feed.fresh, time.time)
        revoked = await stack.enter_async_context(follow)
        sessions = await _sessions(settings, database, shared, stack)
        kept_for_houses = SharedKept(token_key=database.token_key, revoked=revoked, sessions=sessions)
        yield KeptGround(shared, revocations, kept_for_houses)


async def _sessions(
    settings: Settings, database: Database, shared: SqlDirectory, stack: AsyncExitStack
) -> KeptSessions | None:
    wanted = settings.sessions
    if wanted is None:
        return None
    follow = kept_sessions(
        SqlSessions(database),
        SqlSessionKeys(database),
        shared.listen,
        lambda: shared.feed.fresh,
        secrets=wanted.key_encryption,
        rotate_every=wanted.rotate_every,
        lifetime=wanted.lifetime,
        clock=time.time,
        stopwatch=time.monotonic,
    )
    return await stack.enter_async_context(follow)


def _tell(works: bool, fields: Mapping[str, str | int]) -> None:
    if works:
        _log.info("directory_works_again")
    else:
        _log.warning("directory_failed", **fields)


def budget_of_all(settings: Settings) -> Budget:
    """What everyone may spend together."""
    return Budget(settings.policy.budgets.global_max_micro_usd, settings.budget_period)


class MemoryGround:
    """A directory of the configuration's rows, in memory."""

    store: Store | None = None
    revocations: RevocationStore | None = None
    kept: SharedKept | None = None
    fresh = True

    def __init__(self, settings: Settings) -> None:
        """Nothing has been spent in it."""
        rows, bare_ids_for, everyone = _of_directory(settings)
        self.directory = MemoryDirectory(
            new_store_id(), rows, bare_ids_for=bare_ids_for, everyone=everyone, clock=time.time
        )

    def look(self) -> Look:
        """As `Ground.look`."""
        facts = self.directory.at_hand()
        return Look(facts.revision, facts.sizes(), None)

    def listen(self, hear: Listening) -> Callable[[], None]:
        """As `Ground.listen`. A move that brings other rows is told before the next house answers."""
        return self.directory.listen(hear)

    def house(self, settings: Settings) -> PinnedDirectory:
        """As `Ground.house`."""
        return PinnedDirectory(self.directory)

    def refuses(self, before: Settings, after: Settings) -> list[Problem]:
        """As `Ground.refuses`."""
        return [] if after.store is None else [_other_store()]

    async def step(self, before: Settings, after: Settings, old: HouseDirectory) -> Step:
        """As `Ground.step`. Rows that are the same stay, with what provisioning has written."""
        # To compare and to index the rows of a large directory takes a while.
        rows = await asyncio.to_thread(self._rows, before, after)
        return _OtherRows(self.directory, rows, old if isinstance(old, PinnedDirectory) else None)

    async def models(self) -> tuple[ModelRow, ...]:
        """As `Ground.models`: there is no store."""
        return ()

    def _rows(self, before: Settings, after: Settings) -> Prepared | None:
        if _of_directory(after) == _of_directory(before):
            return None
        return self.directory.prepared(*_of_directory(after))


class _OtherRows(NamedTuple):
    directory: MemoryDirectory
    rows: Prepared | None
    old: PinnedDirectory | None

    def take(self) -> None:
        """As `Step.take`: rows that come for another policy are not judged by the old one."""
        if self.rows is not None:
            before = self.directory.at_hand()
            self.directory.adopt(self.rows)
            if self.old is not None:
                self.old.pin(before)


class KeptGround:
    """A directory in a database. Its rows are nobody's configuration, and stay as they are."""

    def __init__(self, shared: SqlDirectory, revocations: RevocationStore, kept: SharedKept) -> None:
        self._shared = shared
        self.store: Store | None = HeardStore(shared.store, shared.feed.reach)
        self.revocations: RevocationStore | None = HeardRevocations(revocations, shared.feed.reach)
        self.kept: SharedKept | None = kept
        self._kept = kept

    @property
    def fresh(self) -> bool:
        """As `Ground.fresh`."""
        # The list of revoked tokens is known only as long as the directory is.
        return self._kept.revoked.known

    def look(self) -> Look:
        """As `Ground.look`."""
        return Look(self._shared.entities.revision, {}, self._shared.held())

    def listen(self, hear: Listening) -> Callable[[], None]:
        """As `Ground.listen`."""
        return self._shared.listen(hear)

    def house(self, settings: Settings) -> HouseDirectory:
        """As `Ground.house`."""
        return self._shared.house(settings.only_issuer)

    def refuses(self, before: Settings, after: Settings) -> list[Problem]:
        """As `Ground.refuses`."""
        return [] if _url(before.store) == _url(after.store) else [_other_store()]

    async def step(self, before: Settings, after: Settings, old: HouseDirectory) -> Step:
        """As `Ground.step`."""
        if budget_of_all(before) != budget_of_all(after):
            await self._shared.store.set_global(budget_of_all(after))
        return _OtherIssuers(self._shared, after.only_issuer)

    async def models(self) -> tuple[ModelRow, ...]:
        """As `Ground.models`."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await models_in(self._shared.store.database, MAX_KEPT_MODELS + 1)
        except TimeoutError:
            raise DirectoryUnavailable from None


class _OtherIssuers(NamedTuple):
    shared: SqlDirectory
    bare_ids_for: str | None

    def take(self) -> None:
        """As `Step.take`."""
        self.shared.answer_for(self.bare_ids_for)


def _url(kept: StoreSettings | None) -> str | None:
    return None if kept is None else kept.url


def _other_store() -> Problem:
    return Problem("", 0, "directory.url", "is another directory; expected a restart, which takes it")


def _of_directory(settings: Settings) -> tuple[Rows, str | None, Budget]:
    """What a directory in memory is made of, as `MemoryDirectory.prepared` takes it."""
    return settings.directory, settings.only_issuer, budget_of_all(settings)
