"""What provisioning writes to the directory in memory: once, in one step, and never over somebody else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Membership, Rows, Team, User, Write, WriteKind
from usherd.stores.memory_directory import MemoryDirectory
from worlds import finished

CREATE, UPDATE, TEAM = WriteKind.CREATE_USER, WriteKind.UPDATE_USER, WriteKind.CREATE_TEAM

ROWS = Rows(
    teams=(Team(id="red", alias="colour"),),
    users=(
        User(id="alice", identities=(("idp", "a"),), sso_ids=("s",), email="a@x", role="old", teams=("red",)),
        User(id="bob"),
    ),
)


def _directory(rows: Rows = ROWS, bare_ids_for: str | None = "idp") -> MemoryDirectory:
    return MemoryDirectory("store", rows, bare_ids_for=bare_ids_for)


def _written(directory: MemoryDirectory, *writes: Write) -> None:
    finished(directory.write(writes))


def test_a_new_user_is_found_in_every_way_and_has_the_new_revision() -> None:
    directory = _directory()
    row = User(id="carol", identities=(("idp", "c"),), sso_ids=("sc",), email="c@x", models=("m",))

    _written(directory, Write(CREATE, row))

    facts = directory.at_hand()
    assert facts.revision == 2
    for found in (
        facts.user("idp", "c"),
        facts.user_by_id("carol"),
        facts.user_by_sso("sc"),
        facts.user_by_email("c@x"),
    ):
        assert found == replace(row, revision="2")


def test_a_new_user_without_identities_is_found_by_its_id() -> None:
    directory = _directory()

    _written(directory, Write(CREATE, User(id="carol")))

    assert directory.at_hand().user("idp", "carol") is not None


def test_a_new_team_is_found_by_id_and_alias_and_is_nobody_elses_to_change() -> None:
    directory = _directory()
    members = {"alice": Membership()}

    _written(directory, Write(TEAM, Team(id="blue", alias="colour", members=members)))
    members["bob"] = Membership()

    facts = directory.at_hand()
    team = facts.team("idp", "blue")
    assert team is not None
    assert (set(team.members), team.revision) == ({"alice"}, "2")
    assert {each.id for each in facts.teams_by_alias("idp", "colour")} == {"red", "blue"}


def test_facts_that_were_read_before_a_write_stay_as_they_were() -> None:
    directory = _directory()
    before = directory.at_hand()

    _written(directory, Write(CREATE, User(id="carol")), Write(UPDATE, User(id="alice", role="new")))

    alice = before.user("idp", "a")
    assert alice is not None
    assert (before.revision, before.user_by_id("carol"), alice.role) == (1, None, "old")


def test_all_writes_of_one_call_are_one_revision() -> None:
    directory = _directory()

    _written(directory, *(Write(CREATE, User(id=f"u{number}")) for number in range(3)), Write(TEAM, Team(id="t")))

    facts = directory.at_hand()
    assert facts.revision == 2
    rows = [facts.user_by_id(f"u{number}") for number in range(3)]
    assert {row.revision for row in rows if row is not None} == {"2"}
    assert None not in rows


def test_who_has_two_tokens_sheds_no_limit_of_a_place() -> None:
    """What is set of the place, and what was spent there, are there again when the user is."""
    red = Team(id="red", members={"alice": Membership(role="admin", max_budget_micro_usd=7)})
    owner = BudgetOwner(BudgetKind.MEMBER, "alice", "red")
    directory = _directory(replace(ROWS, teams=(red, Team(id="blue"))))
    directory.record_usage(owner, 5)

    for teams in (("blue",), ("red",)):
        _written(directory, Write(UPDATE, User(id="alice", role="old", teams=teams)))
        directory.record_usage(owner, 5)

    facts = directory.at_hand()
    assert facts.member("red", "alice") == Membership(role="admin", max_budget_micro_usd=7)
    assert facts.budget(owner) is BudgetState.EXCEEDED


@pytest.mark.parametrize(
    "write",
    [
        Write(CREATE, User(id="alice", identities=(("idp", "other"),), role="new")),
        Write(TEAM, Team(id="red", models=("*",))),
        Write(TEAM, Team(id="red", issuer="two")),
        Write(UPDATE, User(id="alice", role="old", teams=("red",), blocked=True)),
        Write(UPDATE, User(id="nobody", role="new")),
    ],
)
def test_a_write_that_has_nothing_to_do_makes_no_revision(write: Write) -> None:
    directory = _directory()
    before = directory.at_hand()

    _written(directory, write)

    assert directory.at_hand() is before


@pytest.mark.parametrize(
    "row", [User(id="mallory", identities=(("idp", "a"),)), User(id="mallory", identities=(("idp", "bob"),))]
)
def test_an_identity_is_never_taken_from_its_user(row: User) -> None:
    directory = _directory()
    before = directory.at_hand()

    _written(directory, Write(CREATE, row))

    assert directory.at_hand() is before


def test_a_new_user_takes_no_address_from_one_with_a_lesser_id() -> None:
    directory = _directory()

    _written(directory, Write(CREATE, User(id="zed", email="a@x", sso_ids=("s",))))
    after_zed = directory.at_hand()
    _written(directory, Write(CREATE, User(id="aaron", email="a@x", sso_ids=("s",))))
    after_aaron = directory.at_hand()

    found = [
        look(key) for f in (after_zed, after_aaron) for look, key in ((f.user_by_email, "a@x"), (f.user_by_sso, "s"))
    ]
    assert [user.id for user in found if user is not None] == ["alice", "alice", "aaron", "aaron"]


def test_an_update_gives_role_and_teams_and_nothing_else() -> None:
    directory = _directory()
    row = User(id="alice", role="new", teams=("blue",), blocked=True, email="m@x", models=("*",), limit=Limit(tpm=1))

    _written(directory, Write(UPDATE, row))

    facts = directory.at_hand()
    expected = replace(ROWS.users[0], role="new", teams=("blue",), revision="2")
    for found in (
        facts.user("idp", "a"),
        facts.user_by_id("alice"),
        facts.user_by_sso("s"),
        facts.user_by_email("a@x"),
    ):
        assert found == expected
    assert facts.user_by_email("m@x") is None


def test_an_update_never_undoes_what_was_changed_after_its_row_was_read() -> None:
    directory = _directory()
    read = directory.at_hand().user_by_id("alice")
    assert read is not None
    demoted = replace(ROWS.users[0], role="less")
    directory.replace(replace(ROWS, users=(demoted,)))

    _written(directory, Write(UPDATE, replace(read, teams=("blue",))))

    assert directory.at_hand().user_by_id("alice") == replace(demoted, revision="2")
    again = directory.at_hand().user_by_id("alice")
    assert again is not None
    _written(directory, Write(UPDATE, replace(again, teams=("blue",))))
    assert directory.at_hand().user_by_id("alice") == replace(demoted, teams=("blue",), revision="3")


@pytest.mark.parametrize(
    "write",
    [Write(CREATE, User(id="")), Write(CREATE, Team(id="t")), Write(TEAM, User(id="u")), Write(UPDATE, Team(id="t"))],
)
def test_a_row_that_cannot_be_written_is_an_error_and_nothing_of_the_call_is_written(write: Write) -> None:
    directory = _directory()
    before = directory.at_hand()

    with pytest.raises(ValueError, match=write.kind.value):
        _written(directory, Write(CREATE, User(id="carol")), write)

    assert directory.at_hand() is before


def test_what_was_written_goes_when_the_rows_are_replaced() -> None:
    directory = _directory()
    _written(directory, Write(CREATE, User(id="carol")))

    directory.replace(ROWS)

    assert directory.at_hand().user_by_id("carol") is None


def test_a_new_user_spends_from_its_own_budget() -> None:
    directory = _directory()
    carol = BudgetOwner(BudgetKind.USER, "carol")
    directory.record_usage(carol, 7)

    _written(directory, Write(CREATE, User(id="carol", limit=Limit(max_budget_micro_usd=5))))
    created = directory.at_hand().budget(carol)
    directory.record_usage(carol, 5)

    # What was spent before there was such a user is nobody's.
    assert (created, directory.at_hand().budget(carol)) == (BudgetState.WITHIN, BudgetState.REACHED)


_IDS = st.sampled_from(["a", "b", "c"])
_USERS = st.builds(
    User,
    id=_IDS,
    identities=st.lists(st.tuples(st.sampled_from(["idp", "two"]), _IDS), max_size=2).map(tuple),
    sso_ids=st.lists(_IDS, max_size=2).map(tuple),
    email=st.sampled_from(["", "x", "y"]),
    role=st.sampled_from(["", "r"]),
    teams=st.lists(_IDS, max_size=2).map(tuple),
)
_WRITES = st.one_of(
    st.builds(Write, st.sampled_from([CREATE, UPDATE]), _USERS),
    st.builds(Write, st.just(TEAM), st.builds(Team, id=_IDS, alias=st.sampled_from(["", "x"]))),
)


@given(writes=st.lists(_WRITES, max_size=8), bare_ids_for=st.sampled_from([None, "idp"]))
def test_each_write_made_again_changes_nothing_and_every_index_is_as_if_made_from_scratch(
    writes: list[Write], bare_ids_for: str | None
) -> None:
    directory = _directory(Rows(), bare_ids_for)
    revision = 1
    for write in writes:
        before = directory.at_hand()
        _written(directory, write)
        after = directory.at_hand()
        assert after.revision == before.revision + (after is not before)
        revision = after.revision
        _written(directory, write)
        assert directory.at_hand() is after

    written = directory.at_hand()
    users = [user for user in map(written.user_by_id, "abc") if user is not None]
    teams = [team for team_id in "abc" if (team := written.tables.teams.get(team_id)) is not None]
    fresh = _directory(Rows(users=tuple(users), teams=tuple(teams)), bare_ids_for).at_hand()
    assert revision == written.revision
    for key in ("", "a", "b", "c", "x", "y"):
        for look in ("user_by_id", "user_by_sso", "user_by_email"):
            assert _id(getattr(written, look)(key)) == _id(getattr(fresh, look)(key))
        for issuer in ("idp", "two"):
            assert _id(written.user(issuer, key)) == _id(fresh.user(issuer, key))
            assert {team.id for team in written.teams_by_alias(issuer, key)} == {
                team.id for team in fresh.teams_by_alias(issuer, key)
            }


def _id(user: User | None) -> tuple[str, str, tuple[str, ...]] | None:
    return None if user is None else (user.id, user.role, user.teams)
