"""A write that is made again, because nobody knows whether it was made, changes nothing and is told the same."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from stores.sql.making import TEAM, apply, create, delete, news, put, request
from stores.support import Hands
from usherd.errors import AlreadyExists, FieldInvalid
from usherd.facts import Team
from usherd.store import Applied
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database
from usherd.stores.sql.sql_store import SqlStore


async def test_the_same_request_again_changes_nothing_and_is_told_the_same(store: SqlStore) -> None:
    edits = [create(Team(id="a")), create(Team(id="b"))]
    first = await store.apply(edits, request())
    await apply(store, Team(id="c"))
    assert await store.apply(edits, request()) == first
    assert (await store.head(), len(await news(store, 1))) == (3, 3)


async def test_requests_made_at_once_are_made_once(store: SqlStore) -> None:
    answers = await asyncio.gather(*(store.apply([create(Team(id="a"))], request()) for _ in range(10)))
    assert {answer.revision for answer in answers} == {2}


async def test_rows_that_have_changed_since_are_not_told_as_they_were(store: SqlStore) -> None:
    await store.apply([create(Team(id="a"))], request())
    await apply(store, Team(id="a", blocked=True))
    assert await store.apply([create(Team(id="a"))], request()) == Applied(2, ())


async def test_a_deletion_that_is_made_again_is_told_as_such(store: SqlStore) -> None:
    await apply(store, Team(id="a"))
    for _ in range(2):
        assert await store.apply([delete(TEAM, "a")], request()) == Applied(3, (None,))


async def test_an_id_of_another_request_is_refused_and_that_of_another_caller_is_not(store: SqlStore) -> None:
    await store.apply([put(Team(id="a"))], request(digest=b"one"))
    with pytest.raises(FieldInvalid):
        await store.apply([put(Team(id="b"))], request(digest=b"two"))
    await store.apply([put(Team(id="b"))], request(digest=b"two", caller="another"))


async def test_a_request_that_failed_may_be_made_again(store: SqlStore) -> None:
    await apply(store, Team(id="a"))
    with pytest.raises(AlreadyExists):
        await store.apply([create(Team(id="a"))], request())
    await store.apply([delete(TEAM, "a")])
    assert (await store.apply([create(Team(id="a"))], request())).revision == 4


async def test_a_request_is_remembered_for_a_day(store: SqlStore, clock: Hands) -> None:
    await store.apply([create(Team(id="a"))], request())
    clock.move(24 * 3600 - 1)
    assert (await store.apply([create(Team(id="a"))], request())).revision == 2
    clock.move(1)
    with pytest.raises(AlreadyExists):
        await store.apply([create(Team(id="a"))], request())


async def test_requests_are_not_kept_for_ever(store: SqlStore, database: Database, clock: Hands) -> None:
    for number in range(5):
        await store.apply([put(Team(id="a"))], request(str(number)))
        clock.move(6 * 3600)
    await store.compact(1, 0)
    async with database.reading() as connection:
        assert sorted(await connection.scalars(select(schema.requests.c.id))) == ["2", "3", "4"]
