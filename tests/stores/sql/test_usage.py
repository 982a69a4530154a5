"""What is spent: counted for its owner, and told only when a budget's state is another."""

from __future__ import annotations

import math

import pytest
from sqlalchemy import func, select

from stores.budgets import (
    ALL,
    EXCEEDED,
    ORGANIZATION,
    REACHED,
    USER,
    WITHIN,
)
from stores.sql.making import told, touched
from stores.sql.spending import fill, spend, states
from usherd.changes import ChangeKind, RowKind, lookup_of
from usherd.domain import Limit
from usherd.errors import FieldInvalid, NotFound
from usherd.facts import BudgetKind, BudgetOwner, budget_id
from usherd.store import Spent, Usage
from usherd.stores.budgets import MOST_MICRO_USD
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database
from usherd.stores.sql.sql_store import SqlStore


@pytest.mark.parametrize("owner", ALL)
async def test_a_state_changes_when_the_maximum_is_reached_and_when_it_is_exceeded(
    store: SqlStore, owner: BudgetOwner
) -> None:
    before = await fill(store)
    assert await spend(store, owner, 9) == before
    assert await spend(store, owner, 1) == before + 1
    assert (await states(store)) == {**dict.fromkeys(ALL, WITHIN), owner: REACHED}
    assert await spend(store, owner, 0) == before + 1
    assert await spend(store, owner, 5) == before + 2
    assert await spend(store, owner, 5) == before + 2
    assert (await states(store)) == {**dict.fromkeys(ALL, WITHIN), owner: EXCEEDED}
    entry = (RowKind.BUDGET, budget_id(owner), ChangeKind.UPDATED)
    assert await told(store, before) == [entry, entry]
    assert await touched(store, before) == {lookup_of(owner)}
    assert await store.usage(owner) == Spent(20, EXCEEDED, math.inf)


async def test_what_one_owner_spends_is_no_other_owners(store: SqlStore) -> None:
    await fill(store)
    await store.record_usage([Usage(owner, number) for number, owner in enumerate(ALL)])
    assert [(await store.usage(owner) or (None,))[0] for owner in ALL] == list(range(len(ALL)))


async def test_owners_that_the_directory_does_not_know_are_left_out(store: SqlStore, database: Database) -> None:
    before = await fill(store)
    strangers = [
        BudgetOwner(BudgetKind.TEAM, "x"), BudgetOwner(BudgetKind.TEAM, "t", "t"), BudgetOwner(BudgetKind.GLOBAL, "x"),
        BudgetOwner(BudgetKind.MEMBER, "u", "x"), BudgetOwner(BudgetKind.MEMBER, "t", "u"),
        BudgetOwner(BudgetKind.USER, "\0"), BudgetOwner(BudgetKind.USER, "\ud800"), BudgetOwner(BudgetKind.MEMBER, "u"),
    ]  # fmt: skip
    assert await store.record_usage([Usage(owner, 99) for owner in strangers] + [Usage(USER, 1)]) == before
    assert [await store.usage(owner) for owner in strangers] == [None] * len(strangers)
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(schema.spend)) == 1
    for owner in strangers:
        with pytest.raises(NotFound):
            await store.reset_usage(owner)


async def test_money_never_runs_over(store: SqlStore) -> None:
    await fill(store, Limit(max_budget_micro_usd=MOST_MICRO_USD))
    for _ in range(3):
        await store.record_usage([Usage(USER, MOST_MICRO_USD - 1), Usage(USER, MOST_MICRO_USD)])
    assert await store.usage(USER) == Spent(MOST_MICRO_USD, REACHED, math.inf)
    with pytest.raises(FieldInvalid):
        await spend(store, USER, -1)


async def test_organizations_spend_too(store: SqlStore) -> None:
    await fill(store)
    await spend(store, ORGANIZATION, 10)
    assert (await states(store))[ORGANIZATION] is REACHED
