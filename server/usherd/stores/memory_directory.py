"""Holds a whole directory in memory and swaps it as one: a reader never sees half of a change."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from usherd.errors import Precondition
from usherd.facts import Rows
from usherd.ports import Wanted
from usherd.stores.layered import Layered
from usherd.stores.memory_facts import MemoryFacts
from usherd.stores.tables import Tables

STORE_ID_SIZE = 32
"""The most characters a store id may have. It stands before a colon in a revision, so it has no colon itself."""


def new_store_id() -> str:
    """A random store id, for one life of one process.

    Two processes that read the same file count their changes each on its own, so their revisions do not compare;
    different ids say so (FAILED_PRECONDITION) where an id made from the file would hide it.
    """
    return secrets.token_hex(8)


class MemoryDirectory:
    """A directory of rows that somebody else keeps, for instance in a file.

    `bare_ids_for` is the name of the policy's only issuer: rows that name no issuer (users without identities, teams
    without an issuer) belong to it. None, where there are several issuers: such rows are out of reach of every token.
    """

    def __init__(self, store_id: str, rows: Rows, *, bare_ids_for: str | None = None) -> None:
        """Raises ValueError for a store id that is no store id, and as `replace` does."""
        if not 1 <= len(store_id) <= STORE_ID_SIZE or ":" in store_id or not store_id.isascii():
            raise ValueError(f"store id: expected 1 to {STORE_ID_SIZE} ASCII characters without a colon")
        tables = Tables(bare_ids_for=bare_ids_for).holding(rows, 1)
        self._facts = MemoryFacts(store=store_id, revision=1, tables=tables, states=Layered())
        self._changed = asyncio.Event()

    async def facts(self, wanted: Sequence[Wanted]) -> MemoryFacts:
        """All rows, whatever is wanted. It never fails, and never waits."""
        return self._facts

    def at_hand(self) -> MemoryFacts:
        """All rows, as `facts`."""
        return self._facts

    async def reach(self, store: str, revision: int) -> None:
        """Returns when facts are at least of that revision; until then it waits. Raises Precondition."""
        if store != self._facts.store:
            raise Precondition
        while self._facts.revision < revision:
            await self._changed.wait()

    def replace(self, rows: Rows) -> int:
        """Makes these the rows, all at once, and returns the new revision.

        A row that is as it was keeps its own revision. Raises ValueError, which names both rows, for two of one id or
        identity; the directory is then as it was.
        """
        before = self._facts
        revision = before.revision + 1
        tables = before.tables.holding(rows, revision)
        self._facts = MemoryFacts(store=before.store, revision=revision, tables=tables, states=before.states)
        # Whoever waits holds the old event: it wakes them all once, and later comers wait on a fresh one.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        return self._facts.revision
