"""Internal roles: who holds them, what they permit at most, and what they grant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.facts import Team, User
from usherd.options import LITELLM, STRICT, Options, with_values
from usherd.policy import (
    INTERNAL_USER,
    PROXY_ADMIN,
    TEAM,
    Grant,
    InternalRoleRules,
    Policy,
    RoleMapping,
    RolePermission,
    UserRules,
)
from worlds import CHAT, World, policy, role

MAPPINGS = tuple(
    RoleMapping(issuer="idp", role=name, internal_role=role)
    for name, role in (("svc.team", TEAM), ("svc.user", INTERNAL_USER), ("svc.admin", PROXY_ADMIN))
)
FIRST = with_values(STRICT, {"access.role_precedence": "first"})
NAMED = with_values(STRICT, {"access.role_precedence": "first", "access.sub_is_entitlement": True})


def permission(role: str, models: tuple[str, ...] | None = None, routes: tuple[str, ...] | None = None) -> Any:
    return RolePermission(role=role, models=models, routes=routes)


def rules(*permissions: RolePermission, options: Options = STRICT, **changes: Any) -> Policy:
    values: dict[str, Any] = {"enforce": True, "mappings": MAPPINGS, "permissions": permissions}
    return policy(internal_roles=InternalRoleRules(**(values | changes)), options=options)


def test_a_mapped_role_grants_what_its_permission_writes_out() -> None:
    world = World(policy=rules(permission(TEAM, ("gpt-4o",), (CHAT,))))

    answers = {
        "granted": world.reason(claims={"approles": ["svc.team"]}),
        "other model": world.reason(claims={"approles": ["svc.team"]}, model="o1"),
        "other route": world.reason(claims={"approles": ["svc.team"]}, route="/v1/models", model=None),
        "as a text": world.reason(claims={"approles": "svc.team"}),
        "other role": world.reason(claims={"approles": ["svc"]}),
    }

    assert answers == {
        "granted": "ALLOWED",
        "other model": "MODEL_NOT_GRANTED",
        "other route": "ROUTE_NOT_GRANTED",
        "as a text": "ALLOWED",
        "other role": "ROLE_REQUIRED",
    }


@pytest.mark.parametrize(
    ("models", "routes", "reason"),
    [
        (None, (CHAT,), "MODEL_NOT_GRANTED"),
        (("gpt-4o",), None, "NOT_ENTITLED"),
        ((), (CHAT,), "MODEL_NOT_GRANTED"),
        (("access-group/fast",), ("/v1/*",), "ALLOWED"),
        (("default",), (CHAT,), "ALLOWED"),
    ],
)
def test_what_is_not_written_out_is_not_granted(
    models: tuple[str, ...] | None, routes: tuple[str, ...] | None, reason: str
) -> None:
    world = World(policy=rules(permission(TEAM, models, routes)))

    assert world.reason(claims={"approles": ["svc.team"]}) == reason


@pytest.mark.parametrize(
    ("permissions", "asked", "reason"),
    [
        ([], {}, "ALLOWED"),
        ([permission(TEAM)], {}, "ALLOWED"),
        ([permission(TEAM, ("o1",))], {}, "MODEL_NOT_GRANTED"),
        ([permission(TEAM, ("o1",))], {"model": "o1"}, "ALLOWED"),
        ([permission(TEAM, ("o1",))], {"model": None, "route": "/v1/models"}, "ALLOWED"),
        ([permission(TEAM, None, ("/v1/models",))], {}, "ROUTE_NOT_GRANTED"),
        ([permission(TEAM, (), None)], {}, "MODEL_NOT_GRANTED"),
        ([permission(TEAM, ("o1",)), permission(TEAM, ("gpt-4o",))], {}, "MODEL_NOT_GRANTED"),
        ([permission(INTERNAL_USER, ("o1",))], {}, "ALLOWED"),
    ],
)
def test_permissions_are_what_a_role_may_do_at_most(
    permissions: list[RolePermission], asked: dict[str, Any], reason: str
) -> None:
    world = World(policy=rules(*permissions), teams=(Team(id="a", models=("gpt-4o", "o1")),))

    assert world.reason(claims={"groups": ["a"]}, **asked) == reason


@pytest.mark.parametrize(
    ("options", "permitted", "reason"),
    [
        (STRICT, ("mine",), "MODEL_NOT_GRANTED"),
        (STRICT, ("o1",), "ALLOWED"),
        (with_values(STRICT, {"role.model_rules": "exact"}), ("mine",), "ALLOWED"),
        (with_values(STRICT, {"role.model_rules": "exact"}), ("o1",), "MODEL_NOT_GRANTED"),
    ],
)
def test_a_permission_is_for_the_model_that_the_teams_own_alias_means(
    options: Options, permitted: tuple[str, ...], reason: str
) -> None:
    team = Team(id="a", models=("*",), model_aliases={"mine": "o1"})
    world = World(policy=rules(permission(TEAM, permitted), options=options), teams=(team,))

    assert world.reason(claims={"groups": ["a"]}, model="mine") == reason


@pytest.mark.parametrize(("granted", "reason"), [("mine", "MODEL_NOT_GRANTED"), ("o1", "ALLOWED")])
def test_a_named_role_permits_the_model_that_the_teams_own_alias_means(granted: str, reason: str) -> None:
    reader = role(grants=Grant(routes=(CHAT,), models=(granted,)))
    team = Team(id="a", models=("*",), model_aliases={"mine": "o1"})
    world = World(policy=replace(rules(permission(TEAM, ())), roles=(reader,)), teams=(team,))

    assert world.reason(claims={"groups": ["a"], "roles": ["Reader"]}, model="mine") == reason


def test_all_roles_that_are_held_count_and_one_that_permits_is_enough() -> None:
    world = World(
        policy=rules(permission(TEAM, ("o1",)), permission(INTERNAL_USER, ("gpt-4o",))),
        teams=(Team(id="a", models=("*",)),),
        users=(User(id="alice"),),
    )

    assert world.reason(claims={"groups": ["a"], "sub": "stranger"}) == "MODEL_NOT_GRANTED"
    assert world.reason(claims={"groups": ["a"]}) == "ALLOWED"


@pytest.mark.parametrize(
    ("options", "claims", "reason"),
    [
        # The team's permission is the one that counts, as it comes first.
        (FIRST, {"team": "a"}, "MODEL_NOT_GRANTED"),
        (FIRST, {"team": "a", "scope": "admin"}, "ALLOWED"),
        (NAMED, {"team": "a"}, "MODEL_NOT_GRANTED"),
        # A claim that names no existing team or user is a role only to the reference, and no other takes its place.
        (FIRST, {"team": "gone", "uroles": ["app.user"]}, "ROLE_REQUIRED"),
        (NAMED, {"team": "gone", "uroles": ["app.user"]}, "MODEL_NOT_GRANTED"),
        (FIRST, {"team": "gone", "groups": ["a"]}, "MODEL_NOT_GRANTED"),
        (NAMED, {"team": "gone", "groups": ["a"]}, "MODEL_NOT_GRANTED"),
        (FIRST, {"groups": ["a"], "sub": "stranger"}, "ROLE_REQUIRED"),
        (NAMED, {"groups": ["a"], "sub": "stranger"}, "ALLOWED"),
        (FIRST, {"groups": ["a"], "approles": ["svc.team"], "sub": ...}, "MODEL_NOT_GRANTED"),
        (FIRST, {"groups": ["a"], "uroles": ["app.user"], "sub": ...}, "ALLOWED"),
    ],
)
def test_where_the_first_role_counts_the_order_decides(options: Options, claims: dict[str, Any], reason: str) -> None:
    permissions = (permission(TEAM, ("o1",)), permission(INTERNAL_USER, ("gpt-4o",)), permission(PROXY_ADMIN, ("*",)))
    base = rules(*permissions, options=with_values(options, {"role.model_rules": "full"}))
    world = World(
        policy=policy(
            internal_roles=base.internal_roles,
            options=base.options,
            users=UserRules(routes=(CHAT,), allowed_roles=frozenset({"app.user"})),
        ),
        teams=(Team(id="a", models=("*",)),),
    )

    assert world.reason(claims=claims) == reason


def test_a_user_role_makes_an_internal_user() -> None:
    base = rules(permission(INTERNAL_USER, ("gpt-4o",), (CHAT,)))
    world = World(
        policy=policy(
            internal_roles=base.internal_roles, users=UserRules(allowed_roles=frozenset({"app.user", "app.other"}))
        )
    )

    assert world.reason(claims={"uroles": ["x", "app.other"]}) == "ALLOWED"
    assert world.reason(claims={"uroles": ["x"]}) == "ROLE_REQUIRED"


def test_a_named_role_is_a_role_and_permits_what_it_grants() -> None:
    world = World(policy=rules(permission(TEAM, ())), teams=(Team(id="a", models=("*",)),))

    assert world.reason(claims={"roles": "Reader"}) == "ALLOWED"
    assert world.reason(claims={"roles": "Reader"}, model="o1") == "MODEL_NOT_GRANTED"
    assert world.reason(claims={"roles": "Reader", "groups": ["a"]}) == "ALLOWED"
    # The team's permission holds for what only the team grants.
    assert world.reason(claims={"roles": "Reader", "groups": ["a"]}, model="o1") == "MODEL_NOT_GRANTED"


@pytest.mark.parametrize(("mapped", "is_admin"), [("admin", True), ("not_admin", False)])
def test_a_role_that_is_mapped_to_proxy_admin_makes_one_where_the_issuer_may(mapped: str, is_admin: bool) -> None:
    options = with_values(STRICT, {"access.mapped_admin": mapped})
    decision = World(policy=rules(options=options)).ask(
        claims={"approles": ["svc.admin"]}, route="/key/generate", model=None
    )

    assert decision.verdict.principal is not None
    assert decision.verdict.principal.is_admin is is_admin
    assert decision.verdict.reason.name == ("ALLOWED" if is_admin else "NOT_ENTITLED")


@pytest.mark.parametrize(
    ("rows", "claims", "team", "user"),
    [
        ("team", {"approles": ["svc.team"], "oid": "a"}, "a", "alice"),
        ("team", {"approles": ["svc.user"], "oid": "bob", "groups": ["a"]}, "a", "u-bob"),
        ("team", {"approles": ["other"], "oid": "b", "groups": ["a"]}, "a", "alice"),
        ("team", {"approles": ["svc.team"], "groups": ["a"]}, "a", "alice"),
        ("team", {"approles": ["svc.team"], "oid": "a", "groups": ["b"]}, "a", "alice"),
        ("team", {"approles": ["svc.admin"], "oid": "b", "groups": ["a"]}, "a", "alice"),
    ],
)
def test_an_object_id_is_the_teams_or_users_whose_role_is_mapped(
    rows: str, claims: dict[str, Any], team: str, user: str
) -> None:
    world = World(
        policy=rules(permission(TEAM), permission(INTERNAL_USER)),
        teams=(Team(id="a", models=("*",)), Team(id="b", models=("o1",))),
        users=(User(id="u-bob", identities=(("idp", "bob"),)),),
    )

    principal = world.ask(claims=claims).verdict.principal

    assert principal is not None
    assert (principal.team_id, principal.user_id) == (team, user)


def test_an_object_id_that_names_no_team_is_refused_whatever_else_is_granted() -> None:
    world = World(policy=rules(permission(TEAM, ("*",), (CHAT,))), teams=(Team(id="a", models=("*",)),))

    assert world.reason(claims={"approles": ["svc.team"], "oid": "a"}) == "ALLOWED"
    assert world.reason(claims={"approles": ["svc.team"], "oid": "nowhere"}) == "TEAM_NOT_ALLOWED"
    assert world.reason(claims={"approles": ["svc.team"], "oid": "nowhere", "groups": ["a"]}) == "TEAM_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("loads", "reason"), [(True, "TEAM_NOT_ALLOWED"), (False, "ALLOWED")], ids=["loaded", "not loaded"]
)
def test_a_team_by_object_id_that_is_looked_up_must_exist(loads: bool, reason: str) -> None:
    options = with_values(LITELLM, {"team.object_id_loads": loads})
    world = World(policy=policy(internal_roles=InternalRoleRules(mappings=MAPPINGS), options=options))
    claims = {"approles": ["svc.team"], "oid": "svc", "sub": ...}

    decision = world.ask(claims=claims)

    assert decision.verdict.reason.name == reason
    assert decision.verdict.principal is not None
    assert decision.verdict.principal.team_id == "svc"


@pytest.mark.parametrize(
    ("value", "enforce", "enforce_id", "claims", "reason"),
    [
        ("one_switch", True, False, {}, "IDENTITY_REQUIRED"),
        ("two_switches", True, False, {}, "ALLOWED"),
        ("two_switches", True, True, {}, "IDENTITY_REQUIRED"),
        ("two_switches", False, True, {}, "IDENTITY_REQUIRED"),
        ("one_switch", False, False, {}, "ALLOWED"),
        ("one_switch", True, True, {"sub": "x"}, "ALLOWED"),
        ("one_switch", True, True, {"groups": ["a"]}, "ALLOWED"),
    ],
)
def test_a_token_must_name_a_user_or_team_where_the_policy_asks_for_it(
    value: str, enforce: bool, enforce_id: bool, claims: dict[str, Any], reason: str
) -> None:
    options = with_values(STRICT, {"access.enforce_rbac_id": value})
    world = World(
        policy=policy(
            internal_roles=InternalRoleRules(enforce=enforce, enforce_id=enforce_id, mappings=()), options=options
        ),
        teams=(Team(id="a", models=("*",)),),
    )

    assert world.reason(claims={"sub": ..., "roles": "Reader"} | claims) == reason


@pytest.mark.parametrize(
    ("read", "entry", "model", "reason"),
    [
        ("full", "gpt-4o", "gpt-4o", "ALLOWED"),
        ("exact", "gpt-4o", "gpt-4o", "ALLOWED"),
        ("full", "gpt-*", "gpt-4o", "ALLOWED"),
        ("exact", "gpt-*", "gpt-4o", "MODEL_NOT_GRANTED"),
        ("full", "gpt-4o", "default", "ALLOWED"),
        ("exact", "gpt-4o", "default", "MODEL_NOT_GRANTED"),
        ("exact", "default", "default", "ALLOWED"),
    ],
)
def test_models_of_internal_roles_are_read_in_full_or_name_by_name(
    read: str, entry: str, model: str, reason: str
) -> None:
    options = with_values(STRICT, {"role.model_rules": read})
    world = World(policy=rules(permission(TEAM, (entry,)), options=options), teams=(Team(id="a", models=("*",)),))

    assert world.reason(claims={"groups": ["a"]}, model=model) == reason


def test_of_several_permissions_that_lack_something_the_first_is_told() -> None:
    world = World(
        policy=rules(permission(TEAM, None, ("/v1/models",)), permission(INTERNAL_USER, ("o1",))),
        teams=(Team(id="a", models=("*",)),),
        users=(User(id="alice"),),
    )

    assert world.reason(claims={"groups": ["a"]}) == "ROUTE_NOT_GRANTED"


def test_a_permission_on_routes_permits_nothing_where_the_route_has_no_form() -> None:
    world = World(policy=rules(permission(TEAM, None, ("/*",))), teams=(Team(id="a", models=("*",)),))

    assert world.reason(claims={"groups": ["a"]}, route="//") == "ROUTE_NOT_GRANTED"


@pytest.mark.parametrize(
    ("entitles", "claims", "reason"),
    [
        (True, {"sub": "stranger"}, "ROUTE_NOT_GRANTED"),
        (True, {"sub": ..., "team": "gone"}, "ROUTE_NOT_GRANTED"),
        # If only empty: it is there.
        (True, {"sub": ..., "team": ""}, "ROUTE_NOT_GRANTED"),
        (True, {"sub": ...}, "NOT_ENTITLED"),
        (True, {"sub": ..., "groups": ["gone"]}, "NOT_ENTITLED"),
        (False, {"sub": "stranger", "team": "gone"}, "NOT_ENTITLED"),
    ],
)
def test_a_claim_that_names_somebody_entitles_where_an_option_says_so(
    entitles: bool, claims: dict[str, Any], reason: str
) -> None:
    options = with_values(STRICT, {"access.sub_is_entitlement": entitles})

    # To be entitled is not to be granted anything.
    assert World(policy=policy(options=options)).reason(claims=claims) == reason


@pytest.mark.parametrize(("precedence", "reason"), [("all", "ALLOWED"), ("first", "ROLE_REQUIRED")])
def test_a_known_user_who_is_found_by_anything_but_the_claim_has_a_role_where_all_count(
    precedence: str, reason: str
) -> None:
    options = with_values(STRICT, {"access.role_precedence": precedence, "user.email_as_id": True})
    world = World(policy=rules(options=options), users=(User(id="a@x.example", models=("*",)),))

    assert world.reason(claims={"sub": ..., "email": "a@x.example"}) == reason
    # Whom the directory does not know has none by that.
    assert world.reason(claims={"sub": ..., "email": "b@x.example"}) == "ROLE_REQUIRED"


@pytest.mark.parametrize(("precedence", "reason"), [("all", "ALLOWED"), ("first", "ROLE_REQUIRED")])
def test_a_named_role_is_no_internal_one_where_the_first_counts(precedence: str, reason: str) -> None:
    options = with_values(STRICT, {"access.role_precedence": precedence, "access.enforce_rbac_id": "two_switches"})

    assert World(policy=rules(options=options)).reason(claims={"sub": ..., "roles": "Reader"}) == reason


def test_what_a_permission_grants_is_for_those_who_hold_its_role_by_a_mapping_or_user_role() -> None:
    chosen = rules(permission(INTERNAL_USER, ("gpt-4o",), (CHAT,)), permission(TEAM, ("o1",), (CHAT,)), enforce=False)

    assert World(policy=chosen).reason(claims={}) == "NOT_ENTITLED"
    assert World(policy=chosen).reason(claims={"approles": ["svc.team"]}) == "MODEL_NOT_GRANTED"
    assert World(policy=chosen).reason(claims={"approles": ["svc.team", "svc.user"]}) == "ALLOWED"


def test_an_administrator_by_the_directory_needs_no_rule_to_be_one() -> None:
    world = World(policy=policy(admin=()), users=(User(id="alice", role="proxy_admin", models=("*",)),))

    assert world.reason() == "ALLOWED"
    assert world.reason(route="/v1/embeddings") == "ROUTE_NOT_GRANTED"
