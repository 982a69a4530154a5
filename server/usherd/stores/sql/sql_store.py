"""A store in SQL: `store.Store`, provisioning, and what readers load."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from usherd.changes import Lookup, RowKind
from usherd.errors import FieldInvalid
from usherd.facts import BudgetOwner, Write
from usherd.store import Applied, Changes, Edit, Filter, Page, Request, RowId, Spent, Stored, Usage
from usherd.stores.budgets import NO_BUDGET, Budget
from usherd.stores.sql import budgets, log, pages, provisioned, rows, snapshot
from usherd.stores.sql.database import Database
from usherd.stores.sql.edits import Editing
from usherd.stores.sql.fetch import fetch
from usherd.stores.sql.requests import Result, remembered, tell
from usherd.stores.sql.tally import Tally


class SqlStore:
    """A directory that is kept for good. As `store.Store` says; whatever the database does wrong is
    DirectoryUnavailable."""

    def __init__(self, database: Database, *, bare_ids_for: str | None = None) -> None:
        """`bare_ids_for` is the name of the policy's only issuer, to which users without identities are known by
        their ids; None: there are several."""
        self.database = database
        self.bare_ids_for = bare_ids_for
        self._tally = Tally(database)

    @property
    def id(self) -> str:
        """The store's id, as `Facts.store`."""
        return self.database.store_id

    async def get(self, kind: RowKind, ids: Sequence[RowId]) -> list[Stored | None]:
        """As `Store.get`."""
        async with self.database.reading() as connection:
            found = await fetch(connection, kind, ids)
        stored = {row_id: Stored(row, rows.revision_of(row)) for row_id, row in found.items()}
        return [stored.get(row_id) for row_id in ids]

    async def page(self, kind: RowKind, wanted: Filter, *, after: RowId = (), limit: int = 100) -> Page:
        """As `Store.page`."""
        return await pages.page(self.database, kind, wanted, after, limit)

    async def apply(self, edits: Sequence[Edit], request: Request | None = None) -> Applied:
        """As `Store.apply`."""
        async with self.database.writing() as writing:
            editing = Editing(writing, self.bare_ids_for)
            if request is not None:
                before = await remembered(writing.connection, request, {}, writing.now)
                if before is not None:
                    return _again(before, await editing.stored(edits))
            await editing.make_all(edits)
            await editing.finish()
            stored = await editing.stored(edits)
            revision = writing.revision if writing.has_changes else writing.revision - 1
            if request is not None:
                etags = [None if each is None else each.etag for each in stored]
                await tell(writing.connection, request, {"revision": revision, "etags": etags})
        return Applied(revision, tuple(stored))

    async def write(self, writes: Sequence[Write]) -> None:
        """As `ports.Provisioning`."""
        async with self.database.writing() as writing:
            editing = Editing(writing, self.bare_ids_for)
            await provisioned.write(editing, writes)
            await editing.finish()

    async def record_usage(self, usages: Sequence[Usage], request: Request | None = None) -> int:
        """As `Store.record_usage`."""
        return await self._tally.add(usages, request)

    async def usage(self, owner: BudgetOwner) -> Spent | None:
        """As `Store.usage`."""
        return await budgets.usage(self.database, owner)

    async def reset_usage(self, owner: BudgetOwner, request: Request | None = None) -> int:
        """As `Store.reset_usage`."""
        return await budgets.reset(self.database, owner, request)

    async def set_global(self, budget: Budget = NO_BUDGET) -> None:
        """Makes this what everyone may spend together, as the configuration says."""
        await budgets.set_global(self.database, budget)

    async def sweep(self) -> int:
        """Ends the periods of budgets that are over, and returns how many. Any replica may do so at any time."""
        return await budgets.sweep(self.database)

    async def head(self) -> int:
        """As `Store.head`."""
        async with self.database.reading() as connection:
            return (await self.database.head(connection)).revision

    async def changes(self, after: int, limit: int = 1000) -> Changes:
        """As `Store.changes`."""
        if limit < 1:
            raise FieldInvalid("limit", "1 or more")
        return await log.changes(self.database, after, limit)

    async def compact(self, keep_for: float, keep_at_least: int) -> int:
        """Forgets changes older than so many seconds, but not those of the last so many revisions; returns the
        revision up to which they are gone."""
        return await log.compact(self.database, keep_for, keep_at_least)

    async def load(self, lookups: Sequence[Lookup], bare_ids_for: str | None) -> snapshot.Loaded:
        """What these look-ups find, in one snapshot (`snapshot.load`)."""
        return await snapshot.load(self.database, lookups, bare_ids_for)

    async def close(self) -> None:
        """Waits until what is being recorded is recorded."""
        await self._tally.close()


def _again(before: Result, stored: list[Stored | None]) -> Applied:
    etags: list[Any] = [None if each is None else each.etag for each in stored]
    return Applied(before["revision"], tuple(stored) if etags == before["etags"] else ())


@asynccontextmanager
async def store_in(database: Database, *, bare_ids_for: str | None = None) -> AsyncIterator[SqlStore]:
    """The store in that database, until all that it was told is recorded."""
    store = SqlStore(database, bare_ids_for=bare_ids_for)
    try:
        yield store
    finally:
        await store.close()
