"""What is spent: counted once, for whoever asked, and told only when a budget's state is another."""

from __future__ import annotations

import asyncio
import math

import pytest
from sqlalchemy import event, func, select

from stores.budgets import (
    ALL,
    DAY,
    END_USER,
    EXCEEDED,
    GLOBAL,
    MEMBER,
    MIDNIGHT,
    ORGANIZATION,
    REACHED,
    TEAM,
    TEN,
    TEN_A_DAY,
    USER,
    WITHIN,
)
from stores.sql.conftest import OpenDatabase
from stores.sql.making import apply, delete, news, place, request, told, touched
from stores.support import Hands
from usherd.changes import ChangeKind, RowKind, lookup_of
from usherd.domain import Limit
from usherd.errors import FieldInvalid, NotFound
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, EndUser, Organization, Team, User, budget_id
from usherd.store import Spent, Usage
from usherd.stores.budgets import MOST_MICRO_USD, Budget
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database
from usherd.stores.sql.sql_store import SqlStore, store_in


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


async def test_the_same_request_is_counted_once(store: SqlStore) -> None:
    before = await fill(store)
    answers = await asyncio.gather(*(store.record_usage([Usage(USER, 10)], request()) for _ in range(20)))
    again = await store.record_usage([Usage(USER, 10)], request())
    assert set(answers) == {again} == {before + 1}
    assert await store.usage(USER) == Spent(10, REACHED, math.inf)
    await store.record_usage([Usage(USER, 10)], request(caller="another gateway"))
    assert await store.usage(USER) == Spent(20, EXCEEDED, math.inf)


async def test_the_same_request_at_two_replicas_is_counted_once(open_database: OpenDatabase) -> None:
    async with open_database() as first, open_database() as second, store_in(first) as one, store_in(second) as two:
        await fill(one, Limit())
        for number in range(20):
            await asyncio.gather(*(each.record_usage([Usage(USER, 1)], request(str(number))) for each in (one, two)))
        assert await one.usage(USER) == Spent(20, WITHIN, math.inf)


async def test_a_request_that_is_wrong_is_told_to_its_caller_alone(store: SqlStore) -> None:
    await fill(store, Limit())
    await store.record_usage([Usage(USER, 1)], request())
    wrong, right = await asyncio.gather(
        store.record_usage([Usage(USER, 1)], request(digest=b"another")),
        store.record_usage([Usage(USER, 1)], request("another")),
        return_exceptions=True,
    )
    assert isinstance(wrong, FieldInvalid)
    assert isinstance(right, int)
    assert await store.usage(USER) == Spent(2, WITHIN, math.inf)


async def test_organizations_spend_too(store: SqlStore) -> None:
    await fill(store)
    await spend(store, ORGANIZATION, 10)
    assert (await states(store))[ORGANIZATION] is REACHED
