"""A replica reads what is kept, stays true to it, and says when it cannot."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from stores.sql.making import apply, delete, place, put
from stores.sql.reading import ANN, ISSUER, replica
from stores.support import Hands
from usherd.changes import News, RowKind, Sought
from usherd.domain import DependencyKind, Limit
from usherd.errors import DirectoryUnavailable, Precondition
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Team, User, Write, WriteKind
from usherd.ports import Wanted
from usherd.store import Usage
from usherd.stores.sql.sql_directory import Reading
from usherd.stores.sql.sql_facts import NotWanted

RED = Team(id="red", models=("*",), limit=Limit(max_budget_micro_usd=10))
USER = User(id="ann", role="internal_user")


async def test_a_known_question_is_answered_from_memory(shared_url: str) -> None:
    async with replica(shared_url) as here:
        await apply(here.store, RED, USER, place("red", "ann"))
        first = await here.house.facts([ANN])
        loads = here.shared.loads.begun

        again = await here.house.facts([ANN])

    assert (loads, here.shared.loads.begun) == (1, 1)
    assert (again.revision, again.history) == (first.revision, first.history)
    assert again.user(ISSUER, "ann") == first.user(ISSUER, "ann")
    assert again.member("red", "ann") is not None


async def test_what_was_not_wanted_is_never_absent(shared_url: str) -> None:
    async with replica(shared_url) as here:
        facts = await here.house.facts([ANN])

    with pytest.raises(NotWanted):
        facts.team(ISSUER, "blue")
    with pytest.raises(NotWanted):
        facts.end_user("customer")


async def test_a_write_is_read_at_once_where_it_was_made(shared_url: str) -> None:
    async with replica(shared_url, Reading(max_staleness=60.0)) as here:
        assert await here.blocked() is None

        await here.house.write([Write(WriteKind.CREATE_TEAM, RED), Write(WriteKind.CREATE_USER, USER)])

        assert await here.blocked() is False


@pytest.mark.parametrize("notifies", [True, False])
async def test_a_change_of_one_replica_is_read_by_another(shared_url: str, notifies: bool) -> None:
    async with replica(shared_url, notifies=notifies) as one, replica(shared_url) as other:
        await apply(one.store, RED)
        await other.house.reach(one.store.id, await one.store.head())
        assert await other.blocked() is False

        await apply(one.store, replace(RED, blocked=True))

        assert await other.blocked_within(10) < 5


async def test_listeners_hear_of_what_can_be_read(shared_url: str) -> None:
    heard: list[tuple[News, int]] = []
    async with replica(shared_url) as here:
        unlisten = here.shared.listen(lambda news: heard.append((news, here.shared.entities.revision)))
        await apply(here.store, RED)
        await here.house.reach(here.store.id, 2)
        await here.store.record_usage([Usage(BudgetOwner(BudgetKind.TEAM, "red"), 10)])
        await here.house.reach(here.store.id, 3)
        unlisten()
        await apply(here.store, USER)
        await here.house.reach(here.store.id, 4)

    assert [(news.revision, revision) for news, revision in heard] == [(2, 2), (3, 3)]
    assert heard[0][0].touched == {(DependencyKind.TEAM, "idp/red"), (DependencyKind.TEAM, "session/red")}
    assert heard[1][0].touched == {(DependencyKind.BUDGET, "team:red")}


async def test_another_only_issuer_touches_everything(shared_url: str) -> None:
    heard: list[News] = []
    async with replica(shared_url) as here:
        await apply(here.store, USER)
        await here.house.reach(here.store.id, 2)
        here.shared.listen(heard.append)
        here.shared.answer_for(ISSUER)
        here.shared.answer_for(None)
        other = here.shared.house(None)
        found = [(await house.facts([ANN])).user(ISSUER, "ann") for house in (here.house, other)]

    assert [news.touched for news in heard] == [None]
    assert [user is not None for user in found] == [True, False]


async def test_old_facts_are_none(shared_url: str, stopwatch: Hands) -> None:
    async with replica(shared_url, stopwatch=stopwatch) as here:
        assert here.house.at_hand() is not None
        here.shared.feed._log = Nowhere()  # type: ignore[assignment]
        stopwatch.move(5.1)

        assert here.house.at_hand() is None
        with pytest.raises(DirectoryUnavailable):
            await here.house.facts([ANN])
        with pytest.raises(DirectoryUnavailable):
            await here.house.reach(here.store.id, 1)


class Nowhere:
    async def head(self) -> int:
        raise DirectoryUnavailable

    async def changes(self, after: int, limit: int = 1) -> None:
        raise DirectoryUnavailable


async def test_a_revision_of_another_store_does_not_compare(shared_url: str) -> None:
    async with replica(shared_url) as here:
        with pytest.raises(Precondition):
            await here.house.reach("other", 1)


async def test_a_question_that_takes_more_rows_than_are_held_is_answered(shared_url: str) -> None:
    teams = [Team(id=f"t{number}", limit=Limit(max_budget_micro_usd=1)) for number in range(40)]
    async with replica(shared_url, Reading(entities=10)) as here:
        await apply(here.store, *teams)
        await here.house.reach(here.store.id, 2)

        facts = await here.house.facts([Wanted(issuer=ISSUER, teams=tuple(team.id for team in teams))])

        assert len(here.shared.entities) <= 10
    assert [team for team in teams if facts.team(ISSUER, team.id) is None] == []
    assert facts.revision == 2


async def test_a_place_goes_with_its_team(shared_url: str) -> None:
    async with replica(shared_url) as here:
        await apply(here.store, RED, USER, place("red", "ann", 5))
        await here.house.reach(here.store.id, 2)
        before = await here.house.facts([ANN])

        await here.store.apply([delete(RowKind.TEAM, "red")])
        await here.house.reach(here.store.id, 3)
        after = await here.house.facts([ANN])

    assert before.member("red", "ann") is not None
    assert after.member("red", "ann") is None
    user = after.user(ISSUER, "ann")
    assert user is not None
    assert (user.teams, user.revision) == ((), "3")


async def test_budgets_stand_where_the_store_says(shared_url: str) -> None:
    owner = BudgetOwner(BudgetKind.TEAM, "red")
    async with replica(shared_url) as here:
        await apply(here.store, RED)
        await here.house.reach(here.store.id, 2)
        states = [(await here.house.facts([ANN])).budget(owner)]
        await here.store.record_usage([Usage(owner, 11)])
        await here.house.reach(here.store.id, 3)
        states.append((await here.house.facts([ANN])).budget(owner))
        await here.store.apply([put(replace(RED, limit=Limit()))])
        await here.house.reach(here.store.id, 4)
        states.append((await here.house.facts([ANN])).budget(owner))

    assert states == [BudgetState.WITHIN, BudgetState.EXCEEDED, BudgetState.WITHIN]


async def test_questions_are_answered_while_everything_changes_all_the_time(shared_url: str) -> None:
    async with replica(shared_url) as here:
        await apply(here.store, RED, USER)
        done = asyncio.Event()

        async def change() -> None:
            while not done.is_set():
                for blocked in (True, False):
                    await apply(here.store, replace(RED, blocked=blocked), replace(USER, blocked=blocked))

        changing = asyncio.create_task(change())
        for _ in range(50):
            facts = await here.house.facts([ANN])
            team, user = facts.team(ISSUER, "red"), facts.user(ISSUER, "ann")
            assert team is not None
            assert user is not None
            # Both change in one transaction: half of it is never seen.
            assert team.blocked == user.blocked
            # No row is of a revision to come.
            assert max(int(team.revision), int(user.revision)) <= facts.revision
        done.set()
        await changing


async def test_negative_findings_are_held_and_end_when_there_is_something(shared_url: str) -> None:
    async with replica(shared_url) as here:
        await here.house.facts([ANN])
        loads = here.shared.loads.begun
        assert await here.blocked() is None
        assert here.shared.loads.begun == loads
        await apply(here.store, User(id="other", identities=((ISSUER, "ann"),)))
        await here.house.reach(here.store.id, 2)

        user = (await here.house.facts([ANN])).user(ISSUER, "ann")

    assert user is not None
    assert user.id == "other"
    assert Sought.USER_IDENTITY in {key.sought for key in here.shared.entities._entries}
