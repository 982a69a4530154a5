"""Looks at budgets one by one, begins them anew, and ends the periods that are over."""

from __future__ import annotations

import math
import time

from sqlalchemy import select, update

from usherd.errors import NotFound
from usherd.facts import BudgetKind, BudgetOwner, BudgetState
from usherd.store import Request, Spent
from usherd.stores.budgets import Budget
from usherd.stores.sql import schema
from usherd.stores.sql.budget_rows import budgets_of, counters_of
from usherd.stores.sql.database import Database, Writing
from usherd.stores.sql.requests import remembered, tell
from usherd.stores.sql.settling import Settling, forget, log
from usherd.turns import Turn

SWEPT_AT_ONCE = 256
"""Periods that are ended in one transaction."""


async def usage(database: Database, owner: BudgetOwner) -> Spent | None:
    """As `Store.usage`."""
    async with database.reading() as connection:
        budget = (await budgets_of(connection, [owner])).get(owner)
        counter = (await counters_of(connection, [owner])).get(owner)
    if budget is None:
        return None
    now = database.clock()
    spent = 0 if counter is None or counter.is_over(now) else counter.micro_usd
    return Spent(spent, budget.state(spent), budget.period_end(now))


async def reset(database: Database, owner: BudgetOwner, request: Request | None) -> int:
    """As `Store.reset_usage`."""
    async with database.writing() as writing:
        if request is not None:
            before = await remembered(writing.connection, request, {}, writing.now)
            if before is not None:
                return int(before["revision"])
        budget = (await budgets_of(writing.connection, [owner])).get(owner)
        if budget is None:
            raise NotFound
        await _begin_anew(writing, {owner: budget})
        revision = writing.revision if writing.has_changes else writing.revision - 1
        if request is not None:
            await tell(writing.connection, request, {"revision": revision})
        return revision


async def sweep(database: Database) -> int:
    """Ends the periods that are over, and returns how many; another replica may have ended them before."""
    ended = 0
    while True:
        async with database.reading() as connection:
            over = select(schema.spend.c.period_end).where(schema.spend.c.period_end <= database.clock())
            if await connection.scalar(over.limit(1)) is None:
                return ended
        async with database.writing() as writing:
            some = select(schema.spend).where(schema.spend.c.period_end <= writing.now).limit(SWEPT_AT_ONCE)
            found = (await writing.connection.execute(some)).all()
            owners = [BudgetOwner(BudgetKind(each.kind), each.id, each.team) for each in found]
            budgets = await budgets_of(writing.connection, owners)
            ended += await _begin_anew(writing, {owner: budgets.get(owner) for owner in owners}, only_over=True)


async def _begin_anew(writing: Writing, budgets: dict[BudgetOwner, Budget | None], only_over: bool = False) -> int:
    """Takes away what these owners have spent, and logs the states that are others now."""
    counters = await counters_of(writing.connection, budgets, locked=True)
    # Whoever has spent in the meantime is in a later period already.
    gone = [owner for owner, counter in counters.items() if not only_over or counter.is_over(writing.now)]
    for owner in gone:
        budget = budgets[owner]
        if counters[owner].state is not (BudgetState.WITHIN if budget is None else budget.state(0)):
            log(writing, owner)
    await forget(writing.connection, gone)
    return len(gone)


async def set_global(database: Database, budget: Budget) -> None:
    """Makes this what everyone may spend together."""
    owner = BudgetOwner(BudgetKind.GLOBAL)
    period = None if budget.period is None or not math.isfinite(budget.period) else int(budget.period)
    budget = Budget(budget.maximum, None if period is None else float(period))
    async with database.reading() as connection:
        if (await budgets_of(connection, [owner]))[owner] == budget:
            return
    async with database.writing() as writing:
        before = (await budgets_of(writing.connection, [owner]))[owner]
        values = {"global_max_micro_usd": budget.maximum, "global_reset_seconds": period}
        await writing.connection.execute(update(schema.store).values(values))
        settling = Settling(writing)
        settling.moved(owner, before, budget)
        await settling.settle(Turn(time.perf_counter))
