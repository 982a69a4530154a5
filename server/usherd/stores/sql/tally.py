"""Counts what is spent. What concurrent callers record goes into one transaction, and each returns when its own is
there for good."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, case, literal_column, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.errors import DirectoryUnavailable, Fault, FieldInvalid, Overloaded
from usherd.facts import BudgetKind, BudgetOwner, BudgetState
from usherd.store import Request, Usage
from usherd.stores.budgets import MOST_MICRO_USD, Budget
from usherd.stores.sql import schema
from usherd.stores.sql.budget_rows import budgets_of
from usherd.stores.sql.database import Database, Writing
from usherd.stores.sql.requests import remembered, tell
from usherd.stores.sql.settling import ending, log, set_state

MOST_WAITING = 10_000
"""Callers that wait for their usages to be recorded, at the most."""
MOST_AT_ONCE = 500
"""Callers whose usages are recorded in one transaction."""


@dataclass(slots=True, eq=False)
class _Caller:
    usages: Sequence[Usage]
    request: Request | None
    revision: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


_Told = dict[_Caller, int | Fault]
"""What callers are told that are not simply told the revision."""


class _StateChanges(Exception):
    """A budget's state would change, or its budget has: the transaction is made anew, in turn with all that change."""


class Tally:
    """Records usages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Caller] = []
        self._working: asyncio.Task[None] | None = None

    async def add(self, usages: Sequence[Usage], request: Request | None) -> int:
        """Adds to what these owners have spent, and returns the revision that holds since.

        Raises DirectoryUnavailable, FieldInvalid, and Overloaded when too many wait.
        """
        if any(each.micro_usd < 0 for each in usages):
            raise FieldInvalid("micro_usd", "0 or more")
        if len(self._waiting) >= MOST_WAITING:
            raise Overloaded
        caller = _Caller(usages, request)
        self._waiting.append(caller)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await caller.revision

    async def close(self) -> None:
        """Waits until all that wait have been answered."""
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        """What comes while one transaction is made is in the next one."""
        callers: list[_Caller] = []
        try:
            while self._waiting:
                # Who has gone meanwhile has not been told anything: nothing is counted.
                waiting = [caller for caller in self._waiting if not caller.revision.done()]
                callers, self._waiting = waiting[:MOST_AT_ONCE], waiting[MOST_AT_ONCE:]
                await self._record(callers)
        finally:
            self._working = None
            for caller in (*callers, *self._waiting):
                caller.revision.cancel()

    async def _record(self, callers: list[_Caller]) -> None:
        try:
            try:
                told, revision = await self._aside(callers)
            except _StateChanges:
                told, revision = await self._in_turn(callers)
        except Exception as error:  # whatever it is, nobody is left waiting, and whoever waits is told
            for caller in callers:
                if not caller.revision.done():
                    caller.revision.set_exception(_own(error))
            return
        for caller in callers:
            answer = told.get(caller, revision)
            if caller.revision.done():
                continue
            if isinstance(answer, Fault):
                caller.revision.set_exception(answer)
            else:
                caller.revision.set_result(answer)

    async def _aside(self, callers: list[_Caller]) -> tuple[_Told, int]:
        """Without a turn among those that change the directory, which nearly all usages need not wait for."""
        async with self._database.writing_aside() as connection:
            revision = (await self._database.head(connection)).revision
            return await _counted(connection, callers, revision, self._database.clock(), None), revision

    async def _in_turn(self, callers: list[_Caller]) -> tuple[_Told, int]:
        async with self._database.writing() as writing:
            before = writing.revision - 1
            told = await _counted(writing.connection, callers, before, writing.now, writing)
            if not writing.has_changes:
                return told, before
            made = {caller.request for caller in callers if caller.request is not None and caller not in told}
            for request in made:
                await tell(writing.connection, request, {"revision": writing.revision})
            # Who made one of these requests at the same time is told the same.
            again = {caller: writing.revision for caller in told if caller.request in made}
            return told | again, writing.revision


def _own(error: Exception) -> Exception:
    """An exception for one caller alone: many raise what happened once."""
    if not isinstance(error, DirectoryUnavailable):
        return error
    own = DirectoryUnavailable()
    own.__cause__ = error.__cause__
    return own


async def _counted(
    connection: AsyncConnection, callers: list[_Caller], revision: int, now: float, writing: Writing | None
) -> _Told:
    """Adds what these callers say.

    Without `writing`, raises _StateChanges as soon as more than counters would change.
    """
    told: _Told = {}
    for caller in sorted(callers, key=lambda each: each.request[:2] if each.request else ("", "")):
        if caller.request is None:
            continue
        try:
            before = await remembered(connection, caller.request, {"revision": revision}, now)
        except FieldInvalid as fault:
            told[caller] = fault
            continue
        if before is not None:
            told[caller] = int(before["revision"])
    amounts: dict[BudgetOwner, int] = {}
    for caller in callers:
        if caller not in told:
            for usage in caller.usages:
                amounts[usage.owner] = min(amounts.get(usage.owner, 0) + usage.micro_usd, MOST_MICRO_USD)
    budgets = await budgets_of(connection, amounts)
    known = {owner: amounts[owner] for owner in sorted(amounts) if owner in budgets}
    if known:
        await _add(connection, known, budgets, now, writing)
    return told


async def _add(
    connection: AsyncConnection,
    amounts: Mapping[BudgetOwner, int],
    budgets: Mapping[BudgetOwner, Budget],
    now: float,
    writing: Writing | None,
) -> None:
    """In the order of owners, whoever does it: so no two transactions wait for each other's counters."""
    spend = schema.spend.c
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    counting = insert(schema.spend)
    new, most = counting.excluded, literal_column(str(MOST_MICRO_USD), BigInteger)
    # Periods of one budget end at multiples of its length: another end is the next period's.
    over = spend.period_end < new.period_end
    statement = counting.on_conflict_do_update(
        index_elements=["kind", "id", "team"],
        set_={
            "micro_usd": case(
                (over, new.micro_usd),
                (spend.micro_usd > most - new.micro_usd, most),
                else_=spend.micro_usd + new.micro_usd,
            ),
            "period_end": case((or_(over, spend.period_end.is_(None)), new.period_end), else_=spend.period_end),
        },
    ).returning(schema.spend)
    values = [
        {
            "kind": int(owner.kind),
            "id": owner.id,
            "team": owner.team,
            "micro_usd": micro_usd,
            "period_end": ending(budgets[owner], now),
            "state": int(budgets[owner].state(0)),
        }
        for owner, micro_usd in amounts.items()
    ]
    changed: dict[BudgetOwner, BudgetState] = {}
    for record in (await connection.execute(statement, values)).all():
        owner = BudgetOwner(BudgetKind(record.kind), record.id, record.team)
        state = budgets[owner].state(record.micro_usd)
        if state != record.state:
            changed[owner] = state
    if writing is not None:
        for owner, state in changed.items():
            await set_state(connection, owner, state)
            log(writing, owner)
    elif changed or (connection.dialect.name == "postgresql" and await budgets_of(connection, amounts) != budgets):
        # Whoever changes a budget locks its counter: since this transaction has it, budgets stay as they are now.
        raise _StateChanges
