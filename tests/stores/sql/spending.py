"""Owners that spend, for tests."""

from __future__ import annotations

from stores.budgets import (
    ALL,
    TEN,
)
from stores.sql.making import apply, place
from usherd.changes import lookup_of
from usherd.domain import Limit
from usherd.facts import BudgetOwner, BudgetState, EndUser, Organization, Team, User
from usherd.store import Usage
from usherd.stores.budgets import Budget
from usherd.stores.sql.sql_store import SqlStore


async def fill(store: SqlStore, limit: Limit = TEN, member: int | None = 10) -> int:
    """One owner of each kind, as in `stores.budgets`; returns the revision."""
    await store.set_global(Budget(10))
    applied = await apply(
        store, Organization(id="o", limit=limit), Team(id="t", limit=limit), User(id="u", limit=limit),
        place("t", "u", member), EndUser(id="e", limit=limit),
    )  # fmt: skip
    return applied.revision


async def spend(store: SqlStore, owner: BudgetOwner, micro_usd: int) -> int:
    return await store.record_usage([Usage(owner, micro_usd)])


async def states(store: SqlStore) -> dict[BudgetOwner, BudgetState]:
    """As readers load them."""
    found = (await store.load([lookup_of(owner) for owner in ALL], None)).found
    return {owner: BudgetState(found[lookup_of(owner)]) for owner in ALL}  # type: ignore[arg-type]
