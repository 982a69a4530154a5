"""What is spent or begun anew by a request with an id is so once, for whoever asked."""

from __future__ import annotations

import asyncio
import math

import pytest

from stores.budgets import (
    EXCEEDED,
    REACHED,
    TEAM,
    USER,
    WITHIN,
)
from stores.sql.conftest import OpenDatabase
from stores.sql.making import request
from stores.sql.spending import fill, spend
from usherd.domain import Limit
from usherd.errors import FieldInvalid, NotFound
from usherd.store import Spent, Usage
from usherd.stores.sql.sql_store import SqlStore, store_in


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


async def test_what_is_spent_after_a_reset_stays_when_the_reset_is_repeated(store: SqlStore) -> None:
    await fill(store)
    before = await spend(store, USER, 11)
    assert await store.reset_usage(USER, request()) == before + 1
    await spend(store, USER, 10)
    assert await store.reset_usage(USER, request()) == before + 1
    assert await store.usage(USER) == Spent(10, REACHED, math.inf)
    with pytest.raises(FieldInvalid):
        await store.reset_usage(TEAM, request(digest=b"another"))


async def test_a_reset_of_nobody_is_remembered_by_nobody(store: SqlStore) -> None:
    with pytest.raises(NotFound):
        await store.reset_usage(USER, request())
    await fill(store)
    assert await store.reset_usage(USER, request()) == await store.head()
