"""What `ports.Directory` promises about changes. Every implementation keeps all of it."""

from __future__ import annotations

import asyncio

import pytest

from stores.directories import ROWS, Open, facts_of, memory
from usherd.errors import Precondition
from usherd.facts import EndUser, Organization, Rows, Team, User, Write, WriteKind
from usherd.stores.budgets import NO_BUDGET
from usherd.stores.memory_directory import MemoryDirectory


async def test_facts_stay_as_they_were_when_the_directory_changes(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        before = await facts_of(opened.directory)
        await opened.replace(Rows())
        after = await facts_of(opened.directory)
        still = before.user("one", "alice")

    assert still is not None
    assert after.user("one", "alice") is None
    assert after.store == before.store
    assert after.revision > before.revision


async def test_a_changed_row_has_a_new_revision_and_another_keeps_its_own(open_directory: Open) -> None:
    async with open_directory(Rows(users=(User(id="a"), User(id="b"))), "one") as opened:
        before = await facts_of(opened.directory)
        revision = await opened.replace(Rows(users=(User(id="b"), User(id="a", blocked=True))))
        after = await facts_of(opened.directory)
        old, new = (
            {user.id: user.revision for user in map(facts.user_by_id, ("a", "b")) if user is not None}
            for facts in (before, after)
        )

    assert revision == after.revision
    assert old["a"] != new["a"]
    assert old["b"] == new["b"] != ""


async def test_a_row_that_went_and_came_back_has_a_new_revision(open_directory: Open) -> None:
    async with open_directory(Rows(users=(User(id="a"),)), "one") as opened:
        before = (await facts_of(opened.directory)).user_by_id("a")
        await opened.replace(Rows())
        await opened.replace(Rows(users=(User(id="a"),)))
        after = (await facts_of(opened.directory)).user_by_id("a")

    assert before is not None
    assert after is not None
    assert before.revision != after.revision


async def test_a_revision_that_was_reached_is_not_waited_for(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)
        async with asyncio.timeout(10):
            await opened.directory.reach(facts.store, facts.revision)
            await opened.directory.reach(facts.store, 0)


async def test_a_later_revision_is_waited_for_by_all_who_ask(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)
        waiting = [asyncio.create_task(opened.directory.reach(facts.store, facts.revision + 2)) for _ in range(10)]
        await asyncio.sleep(0.01)
        await opened.replace(Rows())
        await asyncio.sleep(0.01)
        early = [waiter for waiter in waiting if waiter.done()]
        await opened.replace(ROWS)
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting)

    assert early == []


async def test_a_waiter_that_gives_up_takes_no_other_with_it(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)
        first, second = (asyncio.create_task(opened.directory.reach(facts.store, facts.revision + 1)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await opened.replace(Rows())
        async with asyncio.timeout(10):
            await second

    assert first.cancelled()


async def test_a_revision_of_another_store_does_not_compare(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)
        for store in ("other", "", facts.store + "x"):
            with pytest.raises(Precondition):
                await opened.directory.reach(store, 1)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (Rows(users=(User(id="a"), User(id="b"), User(id="a"))), ("'a'", "user 1", "user 3")),
        (Rows(teams=(Team(id="t", issuer="one"), Team(id="t", issuer="two"))), ("'t'", "team 1", "team 2")),
        (Rows(organizations=(Organization(id="o"), Organization(id="o"))), ("'o'", "organization 1", "organization 2")),
        (Rows(end_users=(EndUser(id="e"), EndUser(id="e"))), ("'e'", "end user 1", "end user 2")),
        (
            Rows(users=(User(id="a", identities=(("one", "s"),)), User(id="b", identities=(("one", "s"),)))),
            ("'a'", "'b'", "'one'", "'s'"),
        ),
        (Rows(users=(User(id="a", identities=(("one", "b"),)), User(id="b"))), ("'a'", "'b'", "'one'")),
        (Rows(users=(User(id=""),)), ("user 1", "empty")),
    ],
)
async def test_two_rows_of_one_id_or_identity_are_refused_by_name_and_change_nothing(
    rows: Rows, names: tuple[str, ...]
) -> None:
    async with memory(ROWS, "one") as opened:
        before = await facts_of(opened.directory)
        with pytest.raises(ValueError) as raised:  # noqa: PT011
            await opened.replace(rows)
        after = await facts_of(opened.directory)

    assert all(name in str(raised.value) for name in names)
    assert after.revision == before.revision


async def test_one_identity_given_twice_to_one_user_is_one(open_directory: Open) -> None:
    rows = Rows(users=(User(id="a", identities=(("one", "s"), ("one", "s"))),))

    async with open_directory(rows, "one") as opened:
        assert (await facts_of(opened.directory)).user("one", "s") is not None


async def test_rows_that_were_prepared_before_a_write_get_a_revision_after_it() -> None:
    directory = MemoryDirectory("store", Rows(teams=(Team(id="red"),)), bare_ids_for="idp")
    prepared = directory.prepared(Rows(teams=(Team(id="red", blocked=True),)), "idp", NO_BUDGET)
    await directory.write([Write(WriteKind.CREATE_TEAM, Team(id="blue"))])

    revision = directory.adopt(prepared)

    red = directory.at_hand().team("idp", "red")
    assert red is not None
    assert (red.blocked, red.revision, revision) == (True, "3", 3)
    assert directory.at_hand().team("idp", "blue") is None
