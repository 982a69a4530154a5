"""Many who spend at once, at one replica or several: nobody waits for long, and nothing is lost or counted twice."""

from __future__ import annotations

import asyncio
import math

from sqlalchemy import event

from stores.budgets import (
    ALL,
    MEMBER,
    TEAM,
    USER,
    WITHIN,
)
from stores.sql.conftest import OpenDatabase
from stores.sql.making import news
from stores.sql.spending import fill, spend
from usherd.domain import Limit
from usherd.facts import budget_id
from usherd.store import Spent, Usage
from usherd.stores.sql.database import Database
from usherd.stores.sql.sql_store import SqlStore, store_in


async def test_below_a_threshold_nobody_is_woken_and_the_one_row_is_left_alone(
    open_database: OpenDatabase,
) -> None:
    """Otherwise every call of every gateway would wait for every other's."""
    async with open_database() as database, store_in(database) as store:
        before = await fill(store)
        statements: list[str] = []

        def hear(_: object, __: object, statement: str, *___: object) -> None:
            statements.append(statement)

        event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
        async with asyncio.timeout(20), open_database() as other, other.writing():
            if database.is_postgresql:
                # Somebody else has the revision's row, and is not waited for.
                await asyncio.gather(*(spend(store, USER, 0) for _ in range(100)))
        await asyncio.gather(*(store.record_usage([Usage(USER, 0), Usage(TEAM, 0)]) for _ in range(1000)))
        assert not [each for each in statements if "UPDATE store" in each or "FOR UPDATE" in each or "notify" in each]
        assert await store.head() == before


async def test_what_concurrent_callers_record_goes_into_few_transactions(store: SqlStore, database: Database) -> None:
    await fill(store, Limit())
    commits = 0

    def hear(_: object) -> None:
        nonlocal commits
        commits += 1

    event.listen(database.engine.sync_engine, "commit", hear)
    await asyncio.gather(*(spend(store, USER, 3) for _ in range(1000)))
    assert commits <= 10
    assert await store.usage(USER) == Spent(3000, WITHIN, math.inf)


async def test_a_caller_returns_when_its_own_usage_is_there_for_good(open_database: OpenDatabase) -> None:
    async with open_database() as first, open_database() as second, store_in(first) as ours, store_in(second) as theirs:
        await fill(ours, Limit())
        for total in range(1, 30):
            await spend(ours, USER, 1)
            assert await theirs.usage(USER) == Spent(total, WITHIN, math.inf)


async def test_nothing_is_lost_or_counted_twice_among_replicas(open_database: OpenDatabase) -> None:
    async with open_database() as first, open_database() as second, store_in(first) as one, store_in(second) as two:
        before = await fill(one, Limit(max_budget_micro_usd=500), None)
        work = [
            store.record_usage([Usage(owner, 1) for owner in order])
            for _ in range(300)
            for store, order in ((one, ALL), (two, ALL[::-1]))
        ]
        await asyncio.gather(*work)
        assert {owner: (await one.usage(owner) or (0,))[0] for owner in ALL} == dict.fromkeys(ALL, 600)
        reached = [change.id for change in await news(one, before)]
        assert set(reached) == {budget_id(owner) for owner in ALL} - {budget_id(MEMBER)}
        assert all(reached.count(name) <= 2 for name in reached)


async def test_a_caller_that_goes_does_not_take_others_with_it(store: SqlStore) -> None:
    await fill(store, Limit())
    tasks = [asyncio.create_task(spend(store, USER, 1)) for _ in range(50)]
    await asyncio.sleep(0.001)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    spent = await store.usage(USER)
    assert spent is not None
    assert sum(isinstance(each, int) for each in done) == 25 <= spent.micro_usd <= 50
