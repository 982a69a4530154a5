"""Which teams can be tried: the token's, the wished one first; or the user's own in the directory."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.domain import PrincipalKind, Question
from usherd.facts import Rows, Team, User
from usherd.identify.teams_to_try import TeamsToTry, teams_to_try
from usherd.identity import Profile
from usherd.options import STRICT, with_values
from usherd.policy import TeamRules
from usherd.reading import Reading
from usherd.stores.memory_directory import MemoryDirectory
from worlds import CHAT, policy

TEAMS = (
    Team(id="a", alias="Alpha"),
    Team(id="b", alias="Beta"),
    Team(id="c", alias="Twice"),
    Team(id="d", alias="Twice"),
    Team(id="Alpha", alias="Other"),
)
REFERENCE = {"team.choice": "reference"}


def tried(
    *,
    options: dict[str, Any] | None = None,
    own: tuple[str, ...] | None = None,
    rules: TeamRules | None = None,
    asked: dict[str, Any] | None = None,
    **named: Any,
) -> TeamsToTry:
    """The teams for a token that names these, whose user has `own` in the directory (None: is not known)."""
    values: dict[str, Any] = {
        "kind": PrincipalKind.USER,
        "issuer": "idp",
        "iss": "https://idp.example",
        "subject": "alice",
        "client": "",
        "user": "alice",
        "email": "",
        "scopes": (),
        "roles": (),
        "role_names": (),
        "admin": False,
        "may_be_admin": False,
        "team_ids": (),
        "team_alias": "",
        "teams_allowed": None,
        "organization": "",
        "end_user": "",
        "claims": (),
    }
    facts = MemoryDirectory("store", Rows(teams=TEAMS), bare_ids_for="idp").at_hand()
    assert facts is not None
    return teams_to_try(
        Profile(**(values | named)),
        Question(token="", route=CHAT, **(asked or {})),
        Reading(facts),
        None if own is None else User(id="alice", teams=own),
        policy(options=with_values(STRICT, options or {}), **({} if rules is None else {"teams": rules})),
    )


def teams(*ids: str, as_is: bool = False, refused: bool = False, own: bool = False) -> TeamsToTry:
    return TeamsToTry(ids, as_is, refused, own)


@pytest.mark.parametrize(
    ("named", "strict", "reference"),
    [
        ({}, teams(), teams()),
        ({"team_ids": ("a", "b")}, teams("a", "b"), teams("a", "b")),
        ({"team_ids": ("a", "b"), "single_team": "b"}, teams("a", "b"), teams("b", as_is=True)),
        # An alias names a single team, too, unless there is one already or the groups have it.
        ({"team_alias": "Alpha"}, teams("a"), teams("a", as_is=True)),
        ({"team_alias": "Alpha", "team_ids": ("b",)}, teams("a", "b"), teams("a", as_is=True)),
        (
            {"team_alias": "Alpha", "team_ids": ("b",), "single_team": "b"},
            teams("a", "b"),
            teams("b", as_is=True),
        ),
        ({"team_alias": "Alpha", "team_ids": ("a", "b")}, teams("a", "b"), teams("a", "b")),
        # An object id takes the place of all other words for teams.
        (
            {"team_alias": "Alpha", "team_ids": ("b",), "single_team": "b", "team_by_object": True},
            teams("b"),
            teams("b", as_is=True),
        ),
        ({"team_alias": "Nobody", "team_ids": ("a",)}, teams("a", refused=True), teams("a", refused=True)),
        (
            {"team_alias": "Twice", "team_ids": ("a",), "single_team": "a"},
            teams("a", refused=True),
            teams("a", as_is=True, refused=True),
        ),
        (
            {"team_alias": "Alpha", "teams_allowed": frozenset({"b"})},
            teams(refused=True),
            teams(refused=True),
        ),
        (
            {"team_alias": "Beta", "teams_allowed": frozenset({"b"})},
            teams("b"),
            teams("b", as_is=True),
        ),
    ],
)
def test_the_tokens_teams_are_tried_in_their_order_or_its_single_one_alone(
    named: dict[str, Any], strict: TeamsToTry, reference: TeamsToTry
) -> None:
    assert tried(**named) == strict
    assert tried(options=REFERENCE, **named) == reference


@pytest.mark.parametrize(
    ("priority", "expected"), [((), ("a", "b", "d")), (("b",), ("b", "a", "d")), (("d", "a"), ("d", "a", "b"))]
)
def test_a_team_that_is_named_by_its_alias_has_its_place_among_the_others(
    priority: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    # The profile's own are in that order already.
    ids = tuple(team for team in expected if team != "a")

    assert tried(rules=TeamRules(priority=priority), team_alias="Alpha", team_ids=ids) == teams(*expected)


@pytest.mark.parametrize(
    ("options", "named", "asked", "expected"),
    [
        ({}, {"team_ids": ("a", "b")}, {"team_id": "b"}, teams("b", "a")),
        ({}, {"team_ids": ("a", "b")}, {"team_alias": "Beta"}, teams("b", "a")),
        # The alias comes before the id.
        ({}, {"team_ids": ("a", "b")}, {"team_id": "a", "team_alias": "Beta"}, teams("b", "a")),
        ({}, {"team_ids": ("a", "b")}, {"team_id": "c"}, teams("a", "b", refused=True)),
        ({}, {"team_ids": ("a", "b")}, {"team_id": ""}, teams("a", "b", refused=True)),
        ({}, {"team_ids": ("a", "b")}, {"team_alias": ""}, teams("a", "b", refused=True)),
        ({}, {"team_ids": ("a", "c")}, {"team_alias": "Twice"}, teams("a", "c", refused=True)),
        ({}, {"team_ids": ("a", "b")}, {"team_id": "Beta"}, teams("a", "b", refused=True)),
        (REFERENCE, {"team_ids": ("a", "b")}, {"team_id": "b"}, teams("b", "a")),
        # A wish in the place of a single team is taken as it is, too.
        (REFERENCE, {"team_ids": ("a", "b"), "single_team": "a"}, {"team_id": "b"}, teams("b", as_is=True)),
        (
            REFERENCE,
            {"team_ids": ("a", "b"), "single_team": "a"},
            {"team_id": "c"},
            teams("a", "b", refused=True),
        ),
        ({"team.alias": "either"}, {"team_ids": ("a", "b")}, {"team_id": "Beta"}, teams("b", "a")),
        ({"team.alias": "either"}, {"team_ids": ("a", "b")}, {"team_id": "b"}, teams("b", "a")),
        ({"team.alias": "either"}, {"team_ids": ("a", "b")}, {"team_id": "x" * 257}, teams("a", "b", refused=True)),
        # A team of that id is meant before one of that alias.
        ({"team.alias": "either"}, {"team_ids": ("a", "b")}, {"team_id": "Alpha"}, teams("a", "b", refused=True)),
        ({"team.alias": "either"}, {"team_ids": ("a", "Alpha")}, {"team_id": "Alpha"}, teams("Alpha", "a")),
        ({"team.alias": "either"}, {"team_ids": ("a",)}, {}, teams("a")),
    ],
)
def test_a_wished_team_comes_first_if_it_is_the_tokens(
    options: dict[str, Any], named: dict[str, Any], asked: dict[str, Any], expected: TeamsToTry
) -> None:
    assert tried(options=options, asked=asked, **named) == expected


@pytest.mark.parametrize(
    ("rules", "own", "named", "expected"),
    [
        ({"from_directory": "never"}, ("a",), {}, teams()),
        ({"from_directory": "all"}, None, {}, teams()),
        ({"from_directory": "all"}, (), {}, teams()),
        ({"from_directory": "all"}, ("b", "a"), {}, teams("a", "b", own=True)),
        ({"from_directory": "all", "priority": ("b",)}, ("a", "b"), {}, teams("b", "a", own=True)),
        ({"from_directory": "single"}, ("b",), {}, teams("b", own=True)),
        ({"from_directory": "single"}, ("b", "a"), {}, teams()),
        # Of those that the issuer may not grant there is none.
        ({"from_directory": "all"}, ("b", "a"), {"teams_allowed": frozenset({"b"})}, teams("b", own=True)),
        ({"from_directory": "single"}, ("b", "a"), {"teams_allowed": frozenset({"b"})}, teams("b", own=True)),
        ({"from_directory": "all"}, ("a",), {"teams_allowed": frozenset()}, teams()),
        # The token's own come first, unless the directory has none of them and the policy says so.
        ({"from_directory": "all"}, ("b",), {"team_ids": ("a",)}, teams("a")),
        ({"from_directory": "all"}, ("b",), {"team_ids": ("gone",)}, teams("gone")),
        (
            {"from_directory": "all", "unknown_falls_back": True},
            ("b",),
            {"team_ids": ("gone",), "single_team": "gone"},
            teams("b", own=True),
        ),
        (
            {"from_directory": "all", "unknown_falls_back": True},
            ("b",),
            {"team_ids": ("a", "gone")},
            teams("a", "gone"),
        ),
    ],
)
def test_the_users_own_teams_are_tried_where_the_token_has_none(
    rules: dict[str, Any], own: tuple[str, ...] | None, named: dict[str, Any], expected: TeamsToTry
) -> None:
    assert tried(own=own, rules=TeamRules(**rules), **named) == expected
    assert tried(own=own, rules=TeamRules(**rules), options=REFERENCE, **named) == expected._replace(
        ids=expected.ids, taken_as_is=False
    )


def test_a_wish_is_for_one_of_the_users_own_teams_where_they_are_tried() -> None:
    rules = TeamRules(from_directory="all")

    assert tried(own=("a", "b"), rules=rules, asked={"team_id": "b"}) == teams("b", "a", own=True)
    assert tried(own=("a", "b"), rules=rules, asked={"team_id": "c"}) == teams("a", "b", refused=True, own=True)
