"""What `ports.Directory` promises about finding rows. Every implementation keeps all of it."""

from __future__ import annotations

import pytest

from stores.directories import ROWS, Open, facts_of
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Membership, Rows, User


async def test_the_store_id_fits_before_the_colon_of_a_revision(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)

    assert 1 <= len(facts.store) <= 32
    assert ":" not in facts.store
    assert facts.revision >= 1


async def test_a_user_is_found_by_each_of_its_identities(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)
        found = [facts.user("one", "alice"), facts.user("two", "a.lice"), facts.user("two", "alice")]

    assert [user.id for user in found if user is not None] == ["u1", "u1", "u2"]


async def test_a_user_with_identities_is_not_found_by_its_id(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await facts_of(opened.directory)

    assert facts.user("one", "u1") is None
    assert facts.user("one", "u2") is None


@pytest.mark.parametrize(
    ("bare_ids_for", "issuer", "found"), [("one", "one", True), ("one", "two", False), (None, "one", False)]
)
async def test_a_user_without_identities_is_found_by_its_id_for_the_only_issuer(
    bare_ids_for: str | None, issuer: str, found: bool, open_directory: Open
) -> None:
    async with open_directory(ROWS, bare_ids_for) as opened:
        facts = await facts_of(opened.directory)

    assert (facts.user(issuer, "bob") is not None) is found


async def test_sessions_find_every_user_by_directory_id(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)
        found = [facts.user_by_id(user_id) for user_id in ("u1", "u2", "bob")]

    assert [user.id for user in found if user is not None] == ["u1", "u2", "bob"]
    assert facts.user_by_id("alice") is None


async def test_a_team_belongs_to_its_issuers_tokens_alone(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)

    assert facts.team("one", "red") is not None
    assert facts.team("two", "red") is None
    assert facts.team("one", "grey") is None


async def test_a_team_without_an_issuer_belongs_to_the_only_one(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await facts_of(opened.directory)

    assert facts.team("one", "grey") is not None
    assert facts.team("two", "grey") is None
    # A session's user is in the teams of the row, and names none.
    assert facts.team("session", "grey") is not None


@pytest.mark.parametrize(
    ("bare_ids_for", "issuer", "expected"),
    [("one", "one", {"red", "grey"}), ("one", "two", {"blue"}), (None, "one", {"red"}), (None, "three", set())],
)
async def test_an_alias_finds_all_teams_that_may_be_claimed(
    bare_ids_for: str | None, issuer: str, expected: set[str], open_directory: Open
) -> None:
    async with open_directory(ROWS, bare_ids_for) as opened:
        facts = await facts_of(opened.directory)

    assert {team.id for team in facts.teams_by_alias(issuer, "colours")} == expected


async def test_no_alias_finds_no_team(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await facts_of(opened.directory)

    assert list(facts.teams_by_alias("one", "")) == []


async def test_organizations_and_end_users_are_found_by_id(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)
        closed, customer = facts.organization("closed"), facts.end_user("customer")

    assert closed is not None
    assert (closed.blocked, closed.limit.tpm) == (True, 7)
    assert customer is not None
    assert customer.blocked
    assert facts.organization("customer") is None
    assert facts.end_user("closed") is None


async def test_a_user_is_found_by_each_of_its_single_sign_on_ids(open_directory: Open) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)
        found = [facts.user_by_sso(sso_id) for sso_id in ("sso-alice", "sso-2")]

    assert [user.id for user in found if user is not None] == ["u2", "bob"]
    assert facts.user_by_sso("alice") is None


async def test_of_the_users_of_one_address_the_one_with_the_least_id_is_found(open_directory: Open) -> None:
    rows = Rows(users=tuple(User(id=each, email="a@x", sso_ids=("s",)) for each in ("b", "é", "B", "a", "Z")))

    async with open_directory(ROWS, None) as opened:
        before = await facts_of(opened.directory)
        first = before.user_by_email("alice@example.com")
        await opened.replace(rows)
        after = await facts_of(opened.directory)
        by_email, by_sso = after.user_by_email("a@x"), after.user_by_sso("s")

    assert first is not None
    assert by_email is not None
    assert by_sso is not None
    # Code points, not an alphabet: capitals come first.
    assert (first.id, by_email.id, by_sso.id) == ("u1", "B", "B")


@pytest.mark.parametrize("email", ["", "Alice@example.com", "alice@example.com ", "alice"])
async def test_addresses_are_compared_exactly_and_no_address_is_nobodys(email: str, open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await facts_of(opened.directory)

    assert facts.user_by_email(email) is None


@pytest.mark.parametrize(("alias", "expected"), [("works", {"acme", "closed"}), ("", set()), ("acme", set())])
async def test_an_alias_finds_all_organizations_that_have_it(
    alias: str, expected: set[str], open_directory: Open
) -> None:
    async with open_directory(ROWS, None) as opened:
        facts = await facts_of(opened.directory)

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
        facts = await facts_of(opened.directory)

    assert facts.budget(owner) is BudgetState.WITHIN


@pytest.mark.parametrize("name", ["", "ALICE", "alice ", "a\x00", "é" * 300, "'; DROP TABLE users; --"])
async def test_names_are_compared_exactly(name: str, open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await facts_of(opened.directory, name)

    assert facts.user("one", name) is None
    assert facts.user_by_id(name) is None
    assert facts.team("one", name) is None
    assert facts.organization(name) is None
    assert facts.end_user(name) is None


async def test_rows_come_back_as_they_were(open_directory: Open) -> None:
    async with open_directory(ROWS, "one") as opened:
        facts = await facts_of(opened.directory)
        red, grey, user = facts.team("one", "red"), facts.team("one", "grey"), facts.user("one", "alice")

    assert red is not None
    assert grey is not None
    assert user is not None
    assert (red.models, facts.member("red", "u1"), facts.member("red", "u2")) == (
        ("*",),
        Membership(role="admin"),
        None,
    )
    assert (grey.organization, dict(grey.model_aliases)) == ("acme", {"fast": "small"})
    assert user.teams == ("red",)
