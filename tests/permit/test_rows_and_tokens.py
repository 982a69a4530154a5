"""What a token brings into rows, and rows into answers, never makes anyone more than both together say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.facts import Team, User, WriteKind
from usherd.options import STRICT, with_values
from usherd.policy import MayGrant, ProvisionRules, RouteRules, UserRules
from worlds import CHAT, Recorder, World, issuer, policy

ROLES = UserRules(
    routes=(CHAT, "/v1/models", "/organization/info"),
    role_map=(("boss", "proxy_admin"), ("users", "internal_user")),
    sync_roles=True,
)
ALICE = User(id="alice", identities=(("idp", "alice"),), models=("*",))
MUST_NOT = issuer(may_grant=MayGrant(admin=False))


def written(asking: World) -> list[Any]:
    assert isinstance(asking.provisioning, Recorder)
    return [write.row for write in asking.provisioning.written]


def test_an_issuer_that_makes_no_administrators_writes_none_into_rows() -> None:
    known = World(policy=policy(issuers=(MUST_NOT,), users=ROLES), users=(ALICE,), provisioning=Recorder())
    rules = replace(ROLES, provision=ProvisionRules(always=True))
    unknown = World(policy=policy(issuers=(MUST_NOT,), users=rules), teams=(TEAM,), provisioning=Recorder())

    assert known.reason(claims={"approles": ["boss"]}) == "ALLOWED"
    assert written(known) == []
    assert unknown.reason(claims={"approles": ["boss"], "groups": ["a"]}) == "ALLOWED"
    assert [row.role for row in written(unknown)] == [""]


TEAM = Team(id="a", models=("*",))


def test_an_issuer_that_may_make_them_does() -> None:
    known = World(policy=policy(users=ROLES), users=(ALICE,), provisioning=Recorder())

    known.reason(claims={"approles": ["boss"]})

    assert [row.role for row in written(known)] == ["proxy_admin"]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [({"approles": ["users"]}, "ALLOWED"), ({"approles": []}, "ROUTE_NOT_GRANTED"), ({}, "ROUTE_NOT_GRANTED")],
)
def test_a_role_that_tokens_give_ends_with_the_token_that_lost_it(claims: dict[str, Any], reason: str) -> None:
    """At once, and not only once the row is written: nothing writes here."""
    rules = replace(ROLES, role_routes={"internal_user": ("/key/generate",)})
    chosen = policy(users=rules, routes=RouteRules())
    asking = World(policy=chosen, users=(replace(ALICE, role="internal_user"),))

    assert asking.reason(claims=claims, route="/key/generate", model=None) == reason


def test_a_role_that_no_token_gives_stays_in_the_row() -> None:
    rules = replace(ROLES, role_routes={"internal_user_viewer": ("/spend/logs",)})
    asking = World(policy=policy(users=rules), users=(replace(ALICE, role="internal_user_viewer"),))

    assert asking.reason(route="/spend/logs", model=None) == "ALLOWED"


def test_a_new_row_never_takes_the_id_of_anothers() -> None:
    rules = UserRules(routes=(CHAT,), provision=ProvisionRules(always=True))
    other = User(id="alice", identities=(("idp", "somebody else"),), role="proxy_admin")
    asking = World(policy=policy(users=rules), teams=(TEAM,), users=(other,), provisioning=Recorder())

    assert asking.reason(claims={"groups": ["a"]}) == "ALLOWED"
    assert [(write.kind, write.row.id) for write in recorded(asking)] == [(WriteKind.CREATE_USER, "idp/alice")]


def recorded(asking: World) -> list[Any]:
    assert isinstance(asking.provisioning, Recorder)
    return asking.provisioning.written


@pytest.mark.parametrize(
    ("rules", "model", "reason"),
    [
        # LiteLLM follows its map of aliases even where a model has that name.
        ("reference", "gpt-4o", "MODEL_NOT_GRANTED"),
        ("full", "gpt-4o", "ALLOWED"),
        ("reference", "mine", "ALLOWED"),
        # The catalogue's own aliases are none of LiteLLM's.
        ("reference", "default", "MODEL_NOT_GRANTED"),
    ],
)
def test_the_policys_aliases_go_before_models_where_the_reference_reads_the_lists_of_users(
    rules: str, model: str, reason: str
) -> None:
    chosen = policy(
        options=with_values(STRICT, {"user.model_rules": rules}), model_aliases={"gpt-4o": "o1", "mine": "gpt-4o"}
    )
    asking = World(policy=chosen, users=(replace(ALICE, models=("gpt-4o",)),))

    assert asking.reason(model=model) == reason


@pytest.mark.parametrize(("model", "reason"), [("gpt-\n4o", "MODEL_NOT_GRANTED"), ("gpt-4o\n", "ALLOWED")])
def test_a_star_stands_for_no_newline_but_the_last_where_any_text_is_a_model(model: str, reason: str) -> None:
    chosen = policy(options=with_values(STRICT, {"model.form": "reference", "user.model_rules": "reference"}))
    asking = World(policy=chosen, users=(replace(ALICE, models=("gpt-*",)),))

    assert asking.reason(model=model) == reason


@pytest.mark.parametrize(
    ("match", "known", "reason"),
    [
        ("required", True, "ORGANIZATION_ROLE_REQUIRED"),
        ("required", False, "ORGANIZATION_ROLE_REQUIRED"),
        ("ignored", True, "ORGANIZATION_ROLE_REQUIRED"),
        # As in the reference, which asks known users only.
        ("ignored", False, "ALLOWED"),
    ],
)
def test_who_is_not_known_administers_no_organization(match: str, known: bool, reason: str) -> None:
    chosen = policy(
        users=ROLES,
        routes=RouteRules(organization_admin=("/organization/info",)),
        options=with_values(STRICT, {"organization.match": match, "access.unentitled": "allow"}),
    )
    asking = World(policy=chosen, users=(ALICE,) if known else ())

    assert asking.reason(route="/organization/info", model=None) == reason
