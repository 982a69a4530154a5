"""Stores whose writes return once this replica answers by them: who has blocked a team must not meet it here again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from usherd.changes import RowKind
from usherd.errors import DirectoryUnavailable
from usherd.facts import BudgetOwner
from usherd.revocation_store import Page as RevocationPage
from usherd.revocation_store import RevocationStore, Revoked
from usherd.revocation_store import Wanted as WantedRevocations
from usherd.revocations import Entry, Snapshot
from usherd.store import Applied, Changes, Edit, Filter, Page, Request, RowId, Spent, Store, Stored, Usage

PATIENCE = 1.0
"""Seconds that a write waits at most for being heard of here. It is made by then, whatever becomes of the waiting."""

Reach = Callable[[int], Awaitable[None]]
"""Returns when this replica answers by that revision."""


async def _heard(reach: Reach, revision: int) -> None:
    with suppress(TimeoutError, DirectoryUnavailable):
        async with asyncio.timeout(PATIENCE):
            await reach(revision)


class HeardStore:
    """A `store.Store` around another one."""

    def __init__(self, store: Store, reach: Reach) -> None:
        self._store = store
        self._reach = reach

    @property
    def id(self) -> str:
        """As `Store.id`."""
        return self._store.id

    async def get(self, kind: RowKind, ids: Sequence[RowId]) -> list[Stored | None]:
        """As `Store.get`."""
        return await self._store.get(kind, ids)

    async def page(self, kind: RowKind, wanted: Filter, *, after: RowId = (), limit: int = 100) -> Page:
        """As `Store.page`."""
        return await self._store.page(kind, wanted, after=after, limit=limit)

    async def apply(self, edits: Sequence[Edit], request: Request | None = None) -> Applied:
        """As `Store.apply`."""
        applied = await self._store.apply(edits, request)
        await _heard(self._reach, applied.revision)
        return applied

    async def record_usage(self, usages: Sequence[Usage], request: Request | None = None) -> int:
        """As `Store.record_usage`."""
        revision = await self._store.record_usage(usages, request)
        await _heard(self._reach, revision)
        return revision

    async def usage(self, owner: BudgetOwner) -> Spent | None:
        """As `Store.usage`."""
        return await self._store.usage(owner)

    async def reset_usage(self, owner: BudgetOwner, request: Request | None = None) -> int:
        """As `Store.reset_usage`."""
        revision = await self._store.reset_usage(owner, request)
        await _heard(self._reach, revision)
        return revision

    async def head(self) -> int:
        """As `Store.head`."""
        return await self._store.head()

    async def changes(self, after: int, limit: int = 1000) -> Changes:
        """As `Store.changes`."""
        return await self._store.changes(after, limit)


class HeardRevocations:
    """A `revocation_store.RevocationStore` around another one."""

    def __init__(self, store: RevocationStore, reach: Reach) -> None:
        self._store = store
        self._reach = reach

    @property
    def id(self) -> str:
        """As `RevocationStore.id`."""
        return self._store.id

    async def revoke(self, entry: Entry, *, note: str, caller: str, request: Request | None = None) -> Revoked:
        """As `RevocationStore.revoke`."""
        done = await self._store.revoke(entry, note=note, caller=caller, request=request)
        await _heard(self._reach, done.revision)
        return done

    async def page(self, wanted: WantedRevocations, *, after: str = "", limit: int = 100) -> RevocationPage:
        """As `RevocationStore.page`."""
        return await self._store.page(wanted, after=after, limit=limit)

    async def snapshot(self) -> Snapshot:
        """As `RevocationStore.snapshot`."""
        return await self._store.snapshot()

    async def lift(self, id: str, request: Request | None = None) -> int:
        """As `RevocationStore.lift`."""
        revision = await self._store.lift(id, request)
        await _heard(self._reach, revision)
        return revision
