"""Budgets follow the rows that they are of, and their periods."""

from __future__ import annotations

import asyncio
import math

from sqlalchemy import func, select

from stores.budgets import (
    ALL,
    DAY,
    END_USER,
    EXCEEDED,
    GLOBAL,
    MEMBER,
    MIDNIGHT,
    REACHED,
    TEAM,
    TEN_A_DAY,
    USER,
    WITHIN,
)
from stores.sql.conftest import OpenDatabase
from stores.sql.making import apply, delete, news, place, told, touched
from stores.sql.spending import fill, spend, states
from stores.support import Hands
from usherd.changes import ChangeKind, RowKind, lookup_of
from usherd.domain import Limit
from usherd.facts import Team
from usherd.store import Spent, Usage
from usherd.stores.budgets import Budget
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database
from usherd.stores.sql.sql_store import SqlStore, store_in


async def test_a_period_ends_at_its_time_whoever_sweeps_and_is_told_once(
    open_database: OpenDatabase, clock: Hands
) -> None:
    clock.now = MIDNIGHT + 5.0
    async with open_database() as first, open_database() as second, store_in(first) as one, store_in(second) as two:
        await fill(one, TEN_A_DAY)
        before = await one.record_usage([Usage(TEAM, 11), Usage(USER, 3), Usage(MEMBER, 10), Usage(END_USER, 10)])
        assert await one.usage(TEAM) == Spent(11, EXCEEDED, MIDNIGHT + DAY)
        clock.now = MIDNIGHT + DAY - 1
        assert (await one.sweep(), await one.head()) == (0, before)
        clock.now = MIDNIGHT + DAY
        assert sum(await asyncio.gather(*(store.sweep() for store in (one, two) * 3))) == 4
        assert sorted(await told(one, before)) == [
            (RowKind.BUDGET, name, ChangeKind.UPDATED) for name in ("end_user:e", "member:1:t/u", "team:t")
        ]
        assert await states(two) == dict.fromkeys(ALL, WITHIN)


async def test_whoever_spends_first_in_a_new_period_begins_it(store: SqlStore, clock: Hands) -> None:
    clock.now = MIDNIGHT
    await fill(store, TEN_A_DAY)
    await spend(store, TEAM, 11)
    clock.now += DAY
    before = await store.head()
    await spend(store, TEAM, 4)
    assert await store.usage(TEAM) == Spent(4, WITHIN, MIDNIGHT + 2 * DAY)
    assert await told(store, before) == [(RowKind.BUDGET, "team:t", ChangeKind.UPDATED)]
    assert (await store.sweep(), await store.usage(TEAM)) == (0, Spent(4, WITHIN, MIDNIGHT + 2 * DAY))


async def test_a_maximum_that_changes_moves_the_state_in_the_same_step(store: SqlStore) -> None:
    await fill(store)
    before = await store.record_usage([Usage(TEAM, 7), Usage(MEMBER, 7)])
    await apply(store, Team(id="t", limit=Limit(max_budget_micro_usd=7)), place("t", "u", 6))
    assert {change.revision for change in await news(store, before)} == {before + 1}
    assert {lookup_of(TEAM), lookup_of(MEMBER)} <= await touched(store, before)
    assert await states(store) == {**dict.fromkeys(ALL, WITHIN), TEAM: REACHED, MEMBER: EXCEEDED}
    await apply(store, Team(id="t"), place("t", "u"))
    assert await states(store) == dict.fromkeys(ALL, WITHIN)
    assert (await store.usage(TEAM), await store.usage(MEMBER)) == (Spent(7, WITHIN, math.inf),) * 2


async def test_a_maximum_of_nothing_is_reached_by_nothing_and_told_as_such(store: SqlStore) -> None:
    before = await fill(store, Limit(max_budget_micro_usd=0), 0)
    assert await states(store) == {**dict.fromkeys(ALL, REACHED), GLOBAL: WITHIN}
    assert {lookup_of(owner) for owner in ALL if owner != GLOBAL} <= await touched(store, before - 1)
    await store.set_global(Budget(0))
    assert await touched(store, before) == {lookup_of(GLOBAL)}
    await store.set_global(Budget(0))
    assert await store.head() == before + 1


async def test_what_was_spent_goes_with_its_owner(store: SqlStore, database: Database) -> None:
    await fill(store)
    before = await store.record_usage([Usage(owner, 11) for owner in ALL])
    gone = [delete(RowKind.TEAM, "t"), delete(RowKind.USER, "u"), delete(RowKind.END_USER, "e")]
    await store.apply([*gone, delete(RowKind.ORGANIZATION, "o")])
    assert {lookup_of(owner) for owner in ALL if owner != GLOBAL} <= await touched(store, before)
    await fill(store)
    assert await states(store) == {**dict.fromkeys(ALL, WITHIN), GLOBAL: EXCEEDED}
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(schema.spend)) == 1


async def test_a_period_that_changes_ends_as_the_row_says_now(store: SqlStore, clock: Hands) -> None:
    clock.now = MIDNIGHT
    await fill(store, TEN_A_DAY)
    await store.record_usage([Usage(TEAM, 7), Usage(MEMBER, 11)])
    await apply(store, Team(id="t", limit=Limit(max_budget_micro_usd=10, budget_reset_seconds=DAY // 2)))
    assert await store.usage(MEMBER) == Spent(11, EXCEEDED, MIDNIGHT + DAY // 2)
    clock.now += DAY // 2
    assert await store.sweep() == 2
    assert await store.usage(TEAM) == Spent(0, WITHIN, MIDNIGHT + DAY)


async def test_a_reset_begins_the_period_anew(store: SqlStore) -> None:
    await fill(store)
    before = await spend(store, USER, 11)
    assert await store.reset_usage(USER) == before + 1
    assert await touched(store, before) == {lookup_of(USER)}
    assert await store.usage(USER) == Spent(0, WITHIN, math.inf)
    assert await store.reset_usage(USER) == before + 1
