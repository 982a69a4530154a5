"""What `ports.Directory` promises. Every implementation joins in `IMPLEMENTATIONS` and keeps all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from usherd.domain import Limit
from usherd.errors import Precondition
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, EndUser, Membership, Organization, Rows, Team, User
from usherd.ports import Directory, Facts, Wanted
from usherd.stores.memory_directory import MemoryDirectory, new_store_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A directory, and the way to change all of its rows at once."""

    directory: Directory
    replace: Callable[[Rows], Awaitable[int]]


Open = Callable[[Rows, str | None], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def _memory(rows: Rows, bare_ids_for: str | None) -> AsyncIterator[Opened]:
    directory = MemoryDirectory(new_store_id(), rows, bare_ids_for=bare_ids_for)

    async def replace(rows: Rows) -> int:
        return directory.replace(rows)

    yield Opened(directory=directory, replace=replace)


IMPLEMENTATIONS: dict[str, Open] = {"memory": _memory}

ROWS = Rows(
    organizations=(
        Organization(id="acme", alias="works"),
        Organization(id="closed", alias="works", blocked=True, limit=Limit(tpm=7)),
        Organization(id="plain"),
    ),
    teams=(
        Team(id="red", issuer="one", alias="colours", models=("*",), members={"u1": Membership(role="admin")}),
        Team(id="blue", issuer="two", alias="colours"),
        Team(id="grey", alias="colours", organization="acme", model_aliases={"fast": "small"}),
        Team(id="plain"),
    ),
    users=(
        User(id="u2", identities=(("two", "alice"),), sso_ids=("sso-alice", "sso-2"), email="alice@example.com"),
        User(id="u1", identities=(("one", "alice"), ("two", "a.lice")), teams=("red",), email="alice@example.com"),
        User(id="bob", sso_ids=("sso-2",), limit=Limit(max_budget_micro_usd=5)),
    ),
    end_users=(EndUser(id="customer", blocked=True),),
)


@pytest.fixture(name="open_directory", params=IMPLEMENTATIONS)
def _open_directory(request: pytest.FixtureRequest) -> Open:
    return IMPLEMENTATIONS[request.param]


async def _facts(directory: Directory) -> Facts:
    return await directory.facts([Wanted(issuer="one", user="alice")])


async def test_the_store_id_fits_before_the_colon_of_a_revision(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)

    assert 1 <= len(facts.store) <= 32
    assert ":" not in facts.store
    assert facts.revision >= 1


async def test_a_user_is_found_by_each_of_its_identities(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)
        found = [facts.user("one", "alice"), facts.user("two", "a.lice"), facts.user("two", "alice")]

    assert [user.id for user in found if user is not None] == ["u1", "u1", "u2"]


async def test_a_user_with_identities_is_not_found_by_its_id(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await _facts(opened.directory)

    assert facts.user("one", "u1") is None
    assert facts.user("one", "u2") is None


@pytest.mark.parametrize(
    ("bare_ids_for", "issuer", "found"), [("one", "one", True), ("one", "two", False), (None, "one", False)]
)
async def test_a_user_without_identities_is_found_by_its_id_for_the_only_issuer(
    bare_ids_for: str | None, issuer: str, found: bool, open_directory: Open
) -> None:
    async with open_directory(ROWS, bare_ids_for) as opened:
        facts = await _facts(opened.directory)

    assert (facts.user(issuer, "bob") is not None) is found


async def test_sessions_find_every_user_by_directory_id(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)
        found = [facts.user_by_id(user_id) for user_id in ("u1", "u2", "bob")]

    assert [user.id for user in found if user is not None] == ["u1", "u2", "bob"]
    assert facts.user_by_id("alice") is None


async def test_a_team_belongs_to_its_issuers_tokens_alone(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)

    assert facts.team("one", "red") is not None
    assert facts.team("two", "red") is None
    assert facts.team("one", "grey") is None


async def test_a_team_without_an_issuer_belongs_to_the_only_one(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await _facts(opened.directory)

    assert facts.team("one", "grey") is not None
    assert facts.team("two", "grey") is None
    assert facts.team("session", "grey") is None


@pytest.mark.parametrize(
    ("bare_ids_for", "issuer", "expected"),
    [("one", "one", {"red", "grey"}), ("one", "two", {"blue"}), (None, "one", {"red"}), (None, "three", set())],
)
async def test_an_alias_finds_all_teams_that_may_be_claimed(
    bare_ids_for: str | None, issuer: str, expected: set[str], open_directory: Open
) -> None:
    async with open_directory(ROWS, bare_ids_for) as opened:
        facts = await _facts(opened.directory)

    assert {team.id for team in facts.teams_by_alias(issuer, "colours")} == expected


async def test_no_alias_finds_no_team(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await _facts(opened.directory)

    assert list(facts.teams_by_alias("one", "")) == []


async def test_organizations_and_end_users_are_found_by_id(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)
        closed, customer = facts.organization("closed"), facts.end_user("customer")

    assert closed is not None
    assert (closed.blocked, closed.limit.tpm) == (True, 7)
    assert customer is not None
    assert customer.blocked
    assert facts.organization("customer") is None
    assert facts.end_user("closed") is None


async def test_a_user_is_found_by_each_of_its_single_sign_on_ids(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)
        found = [facts.user_by_sso(sso_id) for sso_id in ("sso-alice", "sso-2")]

    assert [user.id for user in found if user is not None] == ["u2", "bob"]
    assert facts.user_by_sso("alice") is None


async def test_of_the_users_of_one_address_the_one_with_the_least_id_is_found(open_directory: Open) -> None:
    rows = Rows(users=tuple(User(id=each, email="a@x", sso_ids=("s",)) for each in ("b", "é", "B", "a", "Z")))

    async with open_directory(ROWS, None) as opened:
        before = await _facts(opened.directory)
        first = before.user_by_email("alice@example.com")
        await opened.replace(rows)
        after = await _facts(opened.directory)
        by_email, by_sso = after.user_by_email("a@x"), after.user_by_sso("s")

    assert first is not None
    assert by_email is not None
    assert by_sso is not None
    # Code points, not an alphabet: capitals come first.
    assert (first.id, by_email.id, by_sso.id) == ("u1", "B", "B")


@pytest.mark.parametrize("email", ["", "Alice@example.com", "alice@example.com ", "alice"])
async def test_addresses_are_compared_exactly_and_no_address_is_nobodys(email: str, open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await _facts(opened.directory)

    assert facts.user_by_email(email) is None


@pytest.mark.parametrize(("alias", "expected"), [("works", {"acme", "closed"}), ("", set()), ("acme", set())])
async def test_an_alias_finds_all_organizations_that_have_it(
    alias: str, expected: set[str], open_directory: Open
) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)

    assert {organization.id for organization in facts.organizations_by_alias(alias)} == expected


@pytest.mark.parametrize(
    "owner",
    [
        BudgetOwner(BudgetKind.USER, "bob"),
        BudgetOwner(BudgetKind.USER, "u1"),
        BudgetOwner(BudgetKind.USER, "nobody"),
        BudgetOwner(BudgetKind.GLOBAL),
        BudgetOwner(BudgetKind.MEMBER, "u1", "red"),
    ],
)
async def test_a_budget_is_within_its_maximum_when_nothing_was_spent_or_there_is_none(
    owner: BudgetOwner, open_directory: Open
) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)

    assert facts.budget(owner) is BudgetState.WITHIN


@pytest.mark.parametrize("name", ["", "ALICE", "alice ", "a\x00", "é" * 300, "'; DROP TABLE users; --"])
async def test_names_are_compared_exactly(name: str, open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await _facts(opened.directory)

    assert facts.user("one", name) is None
    assert facts.user_by_id(name) is None
    assert facts.team("one", name) is None
    assert facts.organization(name) is None
    assert facts.end_user(name) is None


async def test_rows_come_back_as_they_were(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await _facts(opened.directory)
        red, grey, user = facts.team("one", "red"), facts.team("one", "grey"), facts.user("one", "alice")

    assert red is not None
    assert grey is not None
    assert user is not None
    assert (red.models, dict(red.members)) == (("*",), {"u1": Membership(role="admin")})
    assert (grey.organization, dict(grey.model_aliases)) == ("acme", {"fast": "small"})
    assert user.teams == ("red",)


async def test_facts_stay_as_they_were_when_the_directory_changes(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        before = await _facts(opened.directory)
        await opened.replace(Rows())
        after = await _facts(opened.directory)
        still = before.user("one", "alice")

    assert still is not None
    assert after.user("one", "alice") is None
    assert after.store == before.store
    assert after.revision > before.revision


async def test_a_changed_row_has_a_new_revision_and_another_keeps_its_own(open_directory: Open) -> None:
    async with open_directory(Rows(users=(User(id="a"), User(id="b"))), "one") as opened:
        before = await _facts(opened.directory)
        revision = await opened.replace(Rows(users=(User(id="b"), User(id="a", blocked=True))))
        after = await _facts(opened.directory)
        old, new = (
            {user.id: user.revision for user in map(facts.user_by_id, ("a", "b")) if user is not None}
            for facts in (before, after)
        )

    assert revision == after.revision
    assert old["a"] != new["a"]
    assert old["b"] == new["b"] != ""


async def test_a_row_that_went_and_came_back_has_a_new_revision(open_directory: Open) -> None:
    async with open_directory(Rows(users=(User(id="a"),)), "one") as opened:
        before = (await _facts(opened.directory)).user_by_id("a")
        await opened.replace(Rows())
        await opened.replace(Rows(users=(User(id="a"),)))
        after = (await _facts(opened.directory)).user_by_id("a")

    assert before is not None
    assert after is not None
    assert before.revision != after.revision


async def test_a_revision_that_was_reached_is_not_waited_for(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)
        async with asyncio.timeout(10):
            await opened.directory.reach(facts.store, facts.revision)
            await opened.directory.reach(facts.store, 0)


async def test_a_later_revision_is_waited_for_by_all_who_ask(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)
        waiting = [asyncio.create_task(opened.directory.reach(facts.store, facts.revision + 2)) for _ in range(10)]
        await asyncio.sleep(0.01)
        await opened.replace(ROWS)
        await asyncio.sleep(0.01)
        early = [waiter for waiter in waiting if waiter.done()]
        await opened.replace(ROWS)
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting)

    assert early == []


async def test_a_waiter_that_gives_up_takes_no_other_with_it(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)
        first, second = (asyncio.create_task(opened.directory.reach(facts.store, facts.revision + 1)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await opened.replace(ROWS)
        async with asyncio.timeout(10):
            await second

    assert first.cancelled()


async def test_a_revision_of_another_store_does_not_compare(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await _facts(opened.directory)
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
    rows: Rows, names: tuple[str, ...], open_directory: Open
) -> None:
    async with open_directory(ROWS, "one") as opened:
        before = await _facts(opened.directory)
        with pytest.raises(ValueError) as raised:  # noqa: PT011
            await opened.replace(rows)
        after = await _facts(opened.directory)

    assert all(name in str(raised.value) for name in names)
    assert after.revision == before.revision


async def test_one_identity_given_twice_to_one_user_is_one(open_directory: Open) -> None:
    rows = Rows(users=(User(id="a", identities=(("one", "s"), ("one", "s"))),))

    async with open_directory(rows, "one") as opened:
        assert (await _facts(opened.directory)).user("one", "s") is not None
