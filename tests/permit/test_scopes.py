"""Scopes permit models and routes; they grant nothing."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.facts import Team
from usherd.options import STRICT, with_values
from usherd.policy import ScopeMapping, ScopeRules
from worlds import CHAT, World, policy


def mapping(scope: str, models: tuple[str, ...] = (), routes: tuple[str, ...] | None = None, by: str = "idp") -> Any:
    return ScopeMapping(issuer=by, scope=scope, models=models, routes=routes)


def world(*mappings: ScopeMapping, enforce: bool = True, **options: Any) -> World:
    values = {name.replace("__", "."): value for name, value in options.items()}
    return World(
        policy=policy(scopes=ScopeRules(enforce=enforce, mappings=mappings), options=with_values(STRICT, values)),
        teams=(Team(id="a", models=("*",)),),
    )


MINE = {"groups": ["a"]}


@pytest.mark.parametrize(
    ("scope", "asked", "reason"),
    [
        ("gpt", {}, "ALLOWED"),
        ("gpt", {"model": "o1"}, "MODEL_NOT_GRANTED"),
        ("gpt o", {"model": "o1"}, "ALLOWED"),
        ("none", {}, "NOT_ENTITLED"),
        (..., {}, "NOT_ENTITLED"),
        ("none", {"route": "/v1/models", "model": None}, "NOT_ENTITLED"),
        ("gpt", {"route": "/v1/models", "model": None}, "ALLOWED"),
        ("routed", {}, "ALLOWED"),
        ("routed", {"route": "/v1/models", "model": None}, "ROUTE_NOT_GRANTED"),
        ("routed o", {"route": "/v1/models", "model": None}, "ALLOWED"),
        ("routed o", {"model": "gpt-4o", "fallback_models": ("o1",)}, "ALLOWED"),
        ("gpt", {"model": "gpt-4o", "fallback_models": ("o1",)}, "MODEL_NOT_GRANTED"),
        ("empty", {}, "MODEL_NOT_GRANTED"),
        ("elsewhere", {}, "NOT_ENTITLED"),
        ("routed", {"route": "/v1/chat//completions"}, "ROUTE_NOT_GRANTED"),
    ],
)
def test_every_model_must_be_one_that_a_scope_of_the_token_permits_on_the_route(
    scope: Any, asked: dict[str, Any], reason: str
) -> None:
    asking = world(
        mapping("gpt", ("gpt-*",)),
        mapping("o", ("o1",)),
        mapping("routed", ("gpt-4o",), (CHAT,)),
        mapping("empty"),
        mapping("elsewhere", ("*",), by="other"),
    )

    assert asking.reason(claims={**MINE, "scope": scope}, **asked) == reason


def test_a_scope_that_permits_everything_grants_nothing() -> None:
    asking = world(mapping("all", ("*",), ("/*",)))

    assert asking.reason(claims={"scope": "all"}) == "NOT_ENTITLED"
    assert asking.reason(claims={"scope": "all", "groups": ["a"]}) == "ALLOWED"


def test_mappings_that_are_not_enforced_do_nothing() -> None:
    assert world(mapping("gpt", ("o1",)), enforce=False).reason(claims=MINE) == "ALLOWED"
    assert world(enforce=True).reason(claims=MINE) == "ALLOWED"


@pytest.mark.parametrize(
    ("scope", "asked", "reason"),
    [
        ("routed", {"route": "/v1/models", "model": None}, "ALLOWED"),
        ("none", {"route": "/v1/models", "model": None}, "ALLOWED"),
        ("none", {}, "MODEL_NOT_GRANTED"),
        ("routed", {}, "ALLOWED"),
    ],
)
def test_where_routes_are_ignored_only_models_are_looked_at(scope: str, asked: dict[str, Any], reason: str) -> None:
    asking = world(mapping("routed", ("gpt-4o",), (CHAT,)), access__scope_routes="ignored")

    assert asking.reason(claims={**MINE, "scope": scope}, **asked) == reason


def test_an_empty_model_is_none_where_routes_are_ignored() -> None:
    asking = world(mapping("x", ("o1",)), access__scope_routes="ignored", model__form="reference")

    # The scope lets it pass; the team's list of everything holds the empty name, too.
    assert asking.reason(claims={**MINE, "scope": "x"}, model="") == "ALLOWED"


@pytest.mark.parametrize(
    ("rules", "model", "reason"),
    [
        ("full", "gpt-4o", "ALLOWED"),
        ("exact", "gpt-4o", "MODEL_NOT_GRANTED"),
        ("full", "default", "ALLOWED"),
        ("exact", "claude-3", "ALLOWED"),
        ("exact", "gpt-4o-claude", "MODEL_NOT_GRANTED"),
        ("full", "gpt-4o-claude", "ALLOWED"),
    ],
)
def test_lists_of_scopes_are_read_in_full_or_name_by_name(rules: str, model: str, reason: str) -> None:
    asking = world(mapping("x", ("gpt-*", "claude-3", "access-group/fast")), scope__model_rules=rules)

    assert asking.reason(claims={**MINE, "scope": "x"}, model=model) == reason


@pytest.mark.parametrize(
    ("rules", "permitted", "reason"),
    [
        ("full", ("mine",), "MODEL_NOT_GRANTED"),
        ("full", ("o1",), "ALLOWED"),
        ("exact", ("mine",), "ALLOWED"),
        ("exact", ("o1",), "MODEL_NOT_GRANTED"),
    ],
)
def test_a_scope_permits_the_model_that_the_teams_own_alias_means(
    rules: str, permitted: tuple[str, ...], reason: str
) -> None:
    asking = world(mapping("x", permitted), scope__model_rules=rules)
    asking = World(policy=asking.policy, teams=(Team(id="a", models=("*",), model_aliases={"mine": "o1"}),))

    assert asking.reason(claims={**MINE, "scope": "x"}, model="mine") == reason
