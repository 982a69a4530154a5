"""Holds a whole directory in memory and swaps it as one: a reader never sees half of a change."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from usherd.changes import Listening, Lookup, News, Sought, lookup_of
from usherd.errors import Precondition
from usherd.facts import BudgetKind, BudgetOwner, Rows, Team, User, Write
from usherd.history import History
from usherd.ports import Clock, Wanted
from usherd.stores.announcer import Announcer, refs_of_all
from usherd.stores.budgets import NO_BUDGET, Budget, Ledger
from usherd.stores.memory_facts import MemoryFacts
from usherd.stores.row_lookups import lookups_of
from usherd.stores.tables import Tables
from usherd.stores.written import written

STORE_ID_SIZE = 32
"""The most characters a store id may have. It stands before a colon in a revision, so it has no colon itself."""


def new_store_id() -> str:
    """A random store id, for one life of one process.

    Two processes that read the same file count their changes each on its own, so their revisions do not compare;
    different ids say so (FAILED_PRECONDITION) where an id made from the file would hide it.
    """
    return secrets.token_hex(8)


class Prepared(NamedTuple):
    """Rows that are indexed already."""

    rows: Rows
    tables: Tables
    of: int
    """The revision that they were prepared at."""


class MemoryDirectory:
    """A directory of rows that somebody else keeps, for instance in a file.

    Besides, it counts what is spent, and keeps what provisioning writes until the rows are replaced. Whatever changes
    rows or budget states makes a new revision; spending alone changes nothing that anybody reads.

    `bare_ids_for` is the name of the policy's only issuer: rows that name no issuer (users without identities, teams
    without an issuer) belong to it. None, where there are several issuers: such rows are out of reach of every token.
    """

    def __init__(
        self,
        store_id: str,
        rows: Rows,
        *,
        bare_ids_for: str | None = None,
        everyone: Budget = NO_BUDGET,
        clock: Clock = time.time,
    ) -> None:
        """`everyone` is the global budget; periods of budgets end by the clock.

        Raises ValueError for a store id that is no store id, and as `replace` does.
        """
        if not 1 <= len(store_id) <= STORE_ID_SIZE or ":" in store_id or not store_id.isascii():
            raise ValueError(f"store id: expected 1 to {STORE_ID_SIZE} ASCII characters without a colon")
        self._clock = clock
        self._ledger = Ledger(clock)
        self._due = math.inf
        tables = Tables(bare_ids_for=bare_ids_for, everyone=everyone).holding(rows, 1)
        states = self._ledger.states
        self._facts = MemoryFacts(store=store_id, revision=1, history=History(1), tables=tables, states=states)
        self._changed = asyncio.Event()
        self._announcer = Announcer()

    def listen(self, hear: Listening) -> Callable[[], None]:
        """`hear` is told of every change from now on, until what is returned is called."""
        return self._announcer.listen(hear)

    async def facts(self, wanted: Sequence[Wanted]) -> MemoryFacts:
        """All rows, whatever is wanted. It never fails, and never waits."""
        return self.at_hand()

    def at_hand(self) -> MemoryFacts:
        """All rows, as `facts`."""
        # As a rule no exhausted budget begins anew at any time, and then not even the clock is looked at.
        if self._due < math.inf and self._due <= self._clock():
            self._ledger.renew()
            self._spent()
        return self._facts

    async def reach(self, store: str, revision: int) -> None:
        """Returns when facts are at least of that revision; until then it waits. Raises Precondition."""
        if store != self._facts.store:
            raise Precondition
        while self._facts.revision < revision:
            await self._changed.wait()

    def replace(self, rows: Rows) -> int:
        """Makes these the rows, all at once, and returns the new revision.

        A row that is as it was keeps its own revision, and a budget whose owner stays keeps what was spent. Raises
        ValueError, which names both rows, for two of one id or identity; the directory is then as it was.
        """
        now = self._facts.tables
        return self.adopt(self.prepared(rows, now.bare_ids_for, now.everyone))

    def prepared(self, rows: Rows, bare_ids_for: str | None, everyone: Budget) -> Prepared:
        """What `adopt` makes the rows; it changes nothing, and may be called in another thread, as it takes a while for
        many rows. Raises ValueError as `replace` does."""
        facts = self._facts
        tables = replace(facts.tables, bare_ids_for=bare_ids_for, everyone=everyone)
        return Prepared(rows, tables.holding(rows, facts.revision + 1), facts.revision)

    def adopt(self, prepared: Prepared) -> int:
        """Makes these the rows, all at once, and returns the new revision, as `replace` does."""
        tables = prepared.tables
        if prepared.of != self._facts.revision:
            # What was written meanwhile has taken the revision that these rows were given.
            tables = replace(self._facts.tables, bare_ids_for=tables.bare_ids_for, everyone=tables.everyone)
            tables = tables.holding(prepared.rows, self._facts.revision + 1)
        self._ledger.rows_changed(tables.budget)
        return self._publish(tables, None)

    def record_usage(self, owner: BudgetOwner, micro_usd: int) -> int:
        """Adds to what that owner has spent, and returns the revision, a new one if its budget's state has changed.

        One owner, and no other: what a member spends is recorded for the member, the team, its organization, the user
        and everyone, each on its own. What an owner spends that the directory does not know is not counted. Raises
        ValueError for less than 0.
        """
        budget = self._facts.tables.budget(owner)
        if budget is not None:
            self._ledger.record(owner, budget, micro_usd)
        return self._spent()

    def reset_usage(self, owner: BudgetOwner) -> int:
        """Begins the period of that owner's budget anew, and returns the revision as `record_usage` does."""
        self._ledger.reset(owner)
        return self._spent()

    async def write(self, writes: Sequence[Write]) -> None:
        """Makes all of the writes, in one step: a new revision, if they change anything."""
        before = self._facts.tables
        tables = written(before, writes, self._facts.revision + 1)
        if tables is not before:
            lookups = (*_lookups(before, writes), *_lookups(tables, writes), *_new_budgets(before, tables, writes))
            self._publish(tables, lookups)

    def _spent(self) -> int:
        """Publishes the states of the ledger, if one has changed."""
        self._due = self._ledger.due
        if self._ledger.states is self._facts.states:
            return self._facts.revision
        return self._publish(self._facts.tables, map(lookup_of, self._ledger.take_moved()))

    def _publish(self, tables: Tables, lookups: Iterable[Lookup] | None) -> int:
        facts = self._facts
        revision, history = facts.revision + 1, facts.history
        found = None if lookups is None else tuple(dict.fromkeys(lookups))
        touched = None if found is None else refs_of_all(found, tables.bare_ids_for)
        if touched is None:
            self._ledger.take_moved()
            history = History(revision)
        else:
            history.note(revision, touched)
        states, self._due = self._ledger.states, self._ledger.due
        self._facts = MemoryFacts(store=facts.store, revision=revision, history=history, tables=tables, states=states)
        # Whoever waits holds the old event: it wakes them all once, and later comers wait on a fresh one.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        self._announcer.tell(News(revision, touched, found or (), self._clock()))
        return revision


def _lookups(tables: Tables, writes: Sequence[Write]) -> Iterator[Lookup]:
    """What finds the rows that these writes are about, as they are in these tables."""
    for row in _rows(tables, writes):
        yield from lookups_of(row)
        if isinstance(row, Team):
            # Here places are kept with their team: all of them come with it.
            yield from (Lookup(Sought.MEMBERSHIP, (row.id, user)) for user in row.members)


def _new_budgets(before: Tables, after: Tables, writes: Sequence[Write]) -> Iterator[Lookup]:
    """The budgets that come with new rows. No write changes a maximum that is there already."""
    there = {(type(row), row.id) for row in _rows(before, writes)}
    for row in _rows(after, writes):
        if (type(row), row.id) not in there:
            kind = BudgetKind.TEAM if isinstance(row, Team) else BudgetKind.USER
            owners = [BudgetOwner(kind, row.id)] if row.limit.max_budget_micro_usd is not None else []
            if isinstance(row, Team):
                owners += [BudgetOwner(BudgetKind.MEMBER, user, row.id) for user in row.members]
            yield from map(lookup_of, owners)


def _rows(tables: Tables, writes: Sequence[Write]) -> Iterator[Team | User]:
    for write in writes:
        row = (tables.teams if isinstance(write.row, Team) else tables.users).get(write.row.id)
        if row is not None:
            yield row
