"""What a question may read of the directory is known before it is read, and what is not read is not asked for."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.domain import PrincipalKind, Question
from usherd.facts import Rows, User
from usherd.identify.resolve import identify, wanted
from usherd.identity import Identity, Profile
from usherd.options import STRICT, with_values
from usherd.policy import TeamRules
from usherd.ports import Wanted
from usherd.reading import Reading
from usherd.stores.memory_directory import MemoryDirectory
from worlds import CHAT, policy

NOBODY = Profile(
    kind=PrincipalKind.USER,
    issuer="idp",
    iss="https://idp.example",
    subject="",
    client="",
    user="",
    email="",
    scopes=(),
    roles=(),
    role_names=(),
    admin=False,
    may_be_admin=True,
    team_ids=(),
    team_alias="",
    teams_allowed=None,
    organization="",
    end_user="",
    claims=(),
)
SOMEBODY = NOBODY._replace(
    user="alice",
    email="alice@x.example",
    team_ids=("b", "a"),
    team_alias="Alpha",
    organization="acme",
    organization_alias="Acme",
    end_user="customer",
)
ALL = Wanted(
    issuer="idp",
    user="alice",
    teams=("b", "a"),
    team_aliases=("Alpha",),
    organizations=("acme",),
    organization_alias="Acme",
    end_user="customer",
)


def question(**asked: Any) -> Question:
    return Question(token="", route=CHAT, **asked)


def test_a_token_that_names_nobody_needs_nothing_read() -> None:
    assert wanted(NOBODY, None, policy()) == Wanted(issuer="idp")
    assert wanted(NOBODY, question(), policy()) == Wanted(issuer="idp")


def test_everything_that_a_token_names_may_be_read() -> None:
    assert wanted(SOMEBODY, None, policy()) == ALL
    assert wanted(SOMEBODY, question(), policy()) == ALL


@pytest.mark.parametrize(
    ("options", "asked", "more"),
    [
        ({}, {"team_alias": "Beta"}, {"team_aliases": ("Alpha", "Beta")}),
        ({}, {"organization_id": "other"}, {"organizations": ("acme", "other")}),
        # The token is signed and the question is not.
        ({}, {"end_user_id": "another"}, {}),
        # A wish by id is for one of the token's teams, which are read anyway; it may also be an alias.
        ({}, {"team_id": "c"}, {}),
        ({"team.alias": "either"}, {"team_id": "c"}, {"teams": ("b", "a", "c"), "team_aliases": ("Alpha", "c")}),
        ({"team.alias": "either"}, {}, {}),
        ({"user.email_adoption": "on"}, {}, {"email": "alice@x.example"}),
    ],
)
def test_a_question_adds_what_it_names(options: dict[str, Any], asked: dict[str, Any], more: dict[str, Any]) -> None:
    chosen = policy(options=with_values(STRICT, options))
    expected = {name: getattr(ALL, name) for name in ALL.__dataclass_fields__} | more

    assert wanted(SOMEBODY, question(**asked), chosen) == Wanted(**expected)


def test_an_end_user_that_only_the_question_names_may_be_read() -> None:
    assert wanted(NOBODY, question(end_user_id="customer"), policy()) == Wanted(issuer="idp", end_user="customer")


def test_a_default_team_may_be_read() -> None:
    chosen = policy(teams=TeamRules(default="fallback"))

    assert wanted(NOBODY, None, chosen) == Wanted(issuer="idp", teams=("fallback",))
    assert wanted(SOMEBODY, None, chosen).teams == ("b", "a", "fallback")


def test_an_address_that_is_not_looked_up_is_not_asked_for() -> None:
    adopting = policy(options=with_values(STRICT, {"user.email_adoption": "on"}))

    assert wanted(NOBODY, None, adopting).email is None
    assert wanted(SOMEBODY, None, policy()).email is None


def reading(*users: User) -> Reading:
    facts = MemoryDirectory("store", Rows(users=users), bare_ids_for="idp").at_hand()
    assert facts is not None
    return Reading(facts)


def test_an_administrator_who_is_answered_at_once_is_nobody_else() -> None:
    at_once = policy(options=with_values(STRICT, {"admin.loaded": False}))
    admin = SOMEBODY._replace(admin=True)
    seen = reading(User(id="alice"))

    found = identify(admin, question(team_id="not mine", end_user_id="another"), seen, at_once)

    assert found == Identity(
        profile=admin,
        user=None,
        is_admin=True,
        team_ids=(),
        wish_refused=False,
        end_user_id="",
        end_user=None,
        at_once=True,
    )
    assert seen.dependencies() == []


@pytest.mark.parametrize(
    ("role", "is_admin"),
    [("", True), ("proxy_admin", True), ("internal_user", False), ("proxy_admin_viewer", False), (None, True)],
)
def test_whom_the_directory_has_made_less_has_no_administrators_session(role: str | None, is_admin: bool) -> None:
    session = NOBODY._replace(
        kind=PrincipalKind.SESSION, issuer="session", user="u1", admin=True, may_be_admin=False, names_user=True
    )
    users = () if role is None else (User(id="u1", role=role),)

    assert identify(session, question(), reading(*users), policy()).is_admin is is_admin
    # What a provider's token says of its holder is the provider's word.
    token = session._replace(kind=PrincipalKind.USER, issuer="idp")
    assert identify(token, question(), reading(*users), policy()).is_admin is True
