"""Reads budgets: what owners may spend, as their rows say, what they have spent, and where that stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.facts import BudgetKind, BudgetOwner, BudgetState
from usherd.stores.budgets import NO_BUDGET, Budget
from usherd.stores.sql import schema
from usherd.stores.sql.batches import batches, one_of

_OWNERS: dict[BudgetKind, Table] = {
    BudgetKind.ORGANIZATION: schema.organizations,
    BudgetKind.TEAM: schema.teams,
    BudgetKind.USER: schema.users,
    BudgetKind.END_USER: schema.end_users,
}


class Counter(NamedTuple):
    """What the owner of a budget has spent."""

    micro_usd: int
    period_end: float | None
    """Seconds since the epoch; None: it never ends."""
    state: BudgetState
    """As the change log says."""

    def is_over(self, now: float) -> bool:
        """Whether the period has ended."""
        return self.period_end is not None and self.period_end <= now


def _budget(maximum: int | None, reset: int | None) -> Budget:
    return Budget(maximum, float(reset) if reset else None)


async def budgets_of(connection: AsyncConnection, owners: Iterable[BudgetOwner]) -> dict[BudgetOwner, Budget]:
    """The budgets of these owners, as far as the directory knows them.

    A member's place has no period of its own: its budget begins anew with the team's.
    """
    by_kind: dict[BudgetKind, list[BudgetOwner]] = defaultdict(list)
    for owner in owners:
        by_kind[owner.kind].append(owner)
    found: dict[BudgetOwner, Budget] = {}
    for kind, wanted in by_kind.items():
        if kind is BudgetKind.GLOBAL:
            found |= await _everyone(connection, wanted)
        elif kind is BudgetKind.MEMBER:
            found |= await _members(connection, wanted)
        else:
            found |= await _rows(connection, kind, [owner for owner in wanted if not owner.team])
    return found


async def _everyone(connection: AsyncConnection, wanted: list[BudgetOwner]) -> dict[BudgetOwner, Budget]:
    store = schema.store.c
    record = (await connection.execute(select(store.global_max_micro_usd, store.global_reset_seconds))).one()
    return {owner: _budget(*record) for owner in wanted if owner == BudgetOwner(BudgetKind.GLOBAL)}


async def _members(connection: AsyncConnection, wanted: list[BudgetOwner]) -> dict[BudgetOwner, Budget]:
    found: dict[BudgetOwner, Budget] = {}
    places, teams = schema.memberships.c, schema.teams.c
    columns = select(places.team_id, places.user_id, places.max_budget_micro_usd, teams.budget_reset_seconds)
    joined = columns.join(schema.teams, teams.id == places.team_id)
    for batch in batches((owner.team, owner.id) for owner in wanted):
        condition = one_of((places.team_id, places.user_id), batch)
        for team, user, maximum, reset in await connection.execute(joined.where(condition)):
            found[BudgetOwner(BudgetKind.MEMBER, user, team)] = _budget(maximum, reset)
    return found


async def _rows(connection: AsyncConnection, kind: BudgetKind, wanted: list[BudgetOwner]) -> dict[BudgetOwner, Budget]:
    found: dict[BudgetOwner, Budget] = {}
    table = _OWNERS[kind].c
    for batch in batches(owner.id for owner in wanted):
        columns = select(table.id, table.max_budget_micro_usd, table.budget_reset_seconds)
        for owner_id, maximum, reset in await connection.execute(columns.where(table.id.in_(batch))):
            found[BudgetOwner(kind, owner_id)] = _budget(maximum, reset)
    return found


async def counters_of(
    connection: AsyncConnection, owners: Iterable[BudgetOwner], *, locked: bool = False
) -> dict[BudgetOwner, Counter]:
    """What these owners have spent, as far as they have spent anything. `locked`: nobody else changes it meanwhile.

    They are locked in one order, whoever does it, so that no two wait for each other.
    """
    spend = schema.spend.c
    key = (spend.kind, spend.id, spend.team)
    found: dict[BudgetOwner, Counter] = {}
    for batch in batches(sorted(tuple(owner) for owner in owners)):
        query = select(schema.spend).where(one_of(key, batch)).order_by(*key)
        for each in await connection.execute(query.with_for_update() if locked else query):
            owner = BudgetOwner(BudgetKind(each.kind), each.id, each.team)
            found[owner] = Counter(each.micro_usd, each.period_end, BudgetState(each.state))
    return found


def standing(budget: Budget | None, counter: Counter | None) -> BudgetState:
    """Where a budget stands as the change log says: an owner that is not there is within it."""
    if counter is not None:
        return counter.state
    return (budget or NO_BUDGET).state(0)


async def states_of(connection: AsyncConnection, owners: Iterable[BudgetOwner]) -> dict[BudgetOwner, BudgetState]:
    """Where these budgets stand."""
    wanted = list(dict.fromkeys(owners))
    budgets = await budgets_of(connection, wanted)
    counters = await counters_of(connection, wanted)
    return {owner: standing(budgets.get(owner), counters.get(owner)) for owner in wanted}
