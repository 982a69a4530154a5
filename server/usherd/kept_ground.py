"""The ground of houses whose directory is kept in a database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import structlog

from usherd.changes import Listening
from usherd.config.catalogue import MAX_KEPT_MODELS
from usherd.config.problems import Problem
from usherd.config.settings import Settings, StoreSettings
from usherd.elapsed import elapsed
from usherd.errors import DirectoryUnavailable
from usherd.facts import Rows
from usherd.ground import HouseDirectory, Look, SharedKept, Step, budget_of_all, other_directory
from usherd.revocation_store import RevocationStore
from usherd.store import ModelRow, Store
from usherd.stores.followed_revocations import followed_revocations
from usherd.stores.heard import HeardRevocations, HeardStore
from usherd.stores.kept_sessions import KeptSessions, kept_sessions
from usherd.stores.sql.database import Database, opened_database
from usherd.stores.sql.models import models_in
from usherd.stores.sql.revocations import SqlRevocations
from usherd.stores.sql.seeding import seed
from usherd.stores.sql.session_keys import SqlSessionKeys
from usherd.stores.sql.sessions import SqlSessions
from usherd.stores.sql.sql_directory import Reading, SqlDirectory, opened_directory
from usherd.stores.sql.sql_store import store_in

_PATIENCE = 10.0
"""Seconds that reading a catalogue takes at most."""

_log = structlog.stdlib.get_logger("usherd.app")


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
        return [] if _url(before.store) == _url(after.store) else [other_directory()]

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


@asynccontextmanager
async def opened_kept_ground(settings: Settings, kept: StoreSettings) -> AsyncIterator[KeptGround]:
    """The directory in that database.

    Raises DatabaseUnusable, KeysSealedAway, and DirectoryUnavailable when the database cannot be reached.
    """
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
        shared = await stack.enter_async_context(opened_directory(store, reading, stopwatch=elapsed, tell=_tell))
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


def _url(kept: StoreSettings | None) -> str | None:
    return None if kept is None else kept.url
