"""Keeps budgets in step with the rows that they are of: a maximum that changes moves the state in the same step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, delete, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.changes import ChangeKind, RowKind, lookup_of
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, EndUser, Organization, Team, User, budget_id
from usherd.store import Row
from usherd.stores.budgets import Budget
from usherd.stores.sql import schema
from usherd.stores.sql.batches import batches, execute_many, one_of
from usherd.stores.sql.budget_rows import counters_of, standing
from usherd.stores.sql.database import Writing
from usherd.stores.sql.rows import Values
from usherd.turns import Turn

_KINDS: dict[type[object], BudgetKind] = {
    Organization: BudgetKind.ORGANIZATION,
    Team: BudgetKind.TEAM,
    User: BudgetKind.USER,
    EndUser: BudgetKind.END_USER,
}


def budget_in(row: Row | None) -> tuple[BudgetOwner, Budget] | None:
    """The budget that the row sets for itself; None: a row of its kind has none. A place's needs its team, too."""
    if not isinstance(row, Organization | Team | User | EndUser):
        return None
    limit = row.limit
    reset = float(limit.budget_reset_seconds) if limit.budget_reset_seconds else None
    return BudgetOwner(_KINDS[type(row)], row.id), Budget(limit.max_budget_micro_usd, reset)


_KEEP = update(schema.spend).where(*(each == bindparam(f"its_{each.name}") for each in schema.spend.primary_key))


@dataclass(slots=True)
class _Move:
    before: Budget | None
    after: Budget | None
    lost: bool
    """Whether the owner was gone in between: what it had spent goes with it."""


class Settling:
    """The budgets that one transaction changes. They are settled at its end, in one order, whoever does it: counters
    are locked in that order, so that no two transactions wait for each other."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._moves: dict[BudgetOwner, _Move] = {}

    def moved(self, owner: BudgetOwner, before: Budget | None, after: Budget | None) -> None:
        """The owner's budget is another now; None: the owner was not there, or is there no more."""
        if before == after:
            return
        move = self._moves.setdefault(owner, _Move(before, after, lost=False))
        move.after = after
        move.lost = move.lost or after is None

    async def settle(self, turn: Turn) -> None:
        """Makes counters and states what the budgets are now, and logs the states that are others."""
        writing = self._writing
        known = {owner: move.before for owner, move in self._moves.items() if move.before is not None}
        await _lock(writing.connection, known)
        counters = await counters_of(writing.connection, known, locked=True)
        gone: list[BudgetOwner] = []
        kept: list[Values] = []
        for owner, move in sorted(self._moves.items()):
            counter, budget = counters.get(owner), move.after
            was = standing(move.before, counter) if move.before is not None else BudgetState.WITHIN
            spent = 0 if counter is None or move.lost or counter.is_over(writing.now) else counter.micro_usd
            if counter is not None and (budget is None or spent == 0):
                gone.append(owner)
            elif counter is not None and budget is not None:
                kept.append(_kept(owner, budget, spent, writing.now))
            is_now = BudgetState.WITHIN if budget is None else budget.state(spent)
            if is_now is not was:
                log(writing, owner)
            await turn.maybe_yield()
        await execute_many(writing.connection, _KEEP, kept)
        await forget(writing.connection, gone)
        self._moves.clear()


def log(writing: Writing, owner: BudgetOwner) -> None:
    """The owner's budget has another state."""
    writing.changed(RowKind.BUDGET, budget_id(owner), ChangeKind.UPDATED, [lookup_of(owner)])


def _kept(owner: BudgetOwner, budget: Budget, spent: int, now: float) -> Values:
    """Makes the owner's counter, which is there, that of this budget."""
    ids = {"its_kind": int(owner.kind), "its_id": owner.id, "its_team": owner.team}
    return {**ids, "period_end": ending(budget, now), "state": int(budget.state(spent)), "micro_usd": spent}


def ending(budget: Budget, now: float) -> float | None:
    """The end of the budget's period as counters have it."""
    return None if budget.period is None else budget.period_end(now)


async def forget(connection: AsyncConnection, owners: list[BudgetOwner]) -> None:
    """Takes away the counters of these owners: they have spent nothing."""
    spend = schema.spend.c
    for batch in batches(tuple(owner) for owner in owners):
        await connection.execute(delete(schema.spend).where(one_of((spend.kind, spend.id, spend.team), batch)))


def _is(owner: BudgetOwner) -> ColumnElement[bool]:
    spend = schema.spend.c
    return and_(spend.kind == int(owner.kind), spend.id == owner.id, spend.team == owner.team)


async def _lock(connection: AsyncConnection, owners: Mapping[BudgetOwner, Budget]) -> None:
    """Gives each of these owners a counter, so that there is one to lock: whoever counts meanwhile waits, and then
    finds the budgets as they are now. Nobody counts meanwhile in SQLite."""
    if connection.dialect.name != "postgresql" or not owners:
        return
    statement = postgresql.insert(schema.spend).on_conflict_do_nothing()
    nothing = [
        {
            "kind": int(owner.kind),
            "id": owner.id,
            "team": owner.team,
            "micro_usd": 0,
            "period_end": None,
            "state": int(budget.state(0)),
        }
        for owner, budget in sorted(owners.items())
    ]
    await execute_many(connection, statement, nothing)


async def set_state(connection: AsyncConnection, owner: BudgetOwner, state: BudgetState) -> None:
    """Says where the owner's budget, whose counter is there, stands."""
    await connection.execute(update(schema.spend).where(_is(owner)).values(state=int(state)))
