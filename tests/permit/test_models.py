"""Models are compared whole; wildcards stand in lists only."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usherd.facts import Organization, Team, User
from usherd.globs import fits
from usherd.options import STRICT, with_values
from usherd.permit.model_lists import ModelLists
from usherd.permit.models import Catalogue
from usherd.policy import CatalogueModel, Grant, RouteRules
from worlds import CATALOGUE, CHAT, World, policy, role

READER = {"roles": "Reader"}


@pytest.mark.parametrize(
    ("text", "pattern", "fitting"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4*", True),
        ("gpt-4", "gpt-4*", True),
        ("gpt-4.1", "gpt-4x1", False),
        ("gpt-4x1", "gpt-4.1", False),
        ("gpt-4x1", "gpt-4.1*", False),
        ("openai/gpt-4o", "openai/*", True),
        ("xopenai/gpt", "openai/*", False),
        ("a-b-c", "a*b*c", True),
        ("ac", "a*b*c", False),
        ("aba", "ab*ba", False),
        ("abba", "ab*ba", True),
        ("gpt-4o\n", "gpt-4o", False),
        ("anything", "*", True),
        ("", "*", True),
        ("aaa", "(a+)+*", False),
    ],
)
def test_a_star_stands_for_any_characters_and_nothing_else_is_special(text: str, pattern: str, fitting: bool) -> None:
    assert fits(text, pattern) is fitting


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_patterns_mean_what_a_slow_and_simple_matcher_says(pattern: str, text: str) -> None:
    def slow(text: str, pattern: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(slow(text[at:], pattern[1:]) for at in range(len(text) + 1))
        return text[:1] == pattern[0] and slow(text[1:], pattern[1:])

    assert fits(text, pattern) is slow(text, pattern)


@pytest.mark.parametrize(
    "model",
    [
        "",
        " ",
        "*",
        "gpt-4*",
        "openai/*",
        "gpt-4o?",
        "[gpt]",
        "gpt-4o,o1",
        "gpt 4o",
        "gpt-4o ",
        "gpt-4o\n",
        "gpt\u200b",
        "x" * 257,
        "é" * 200,
        "all-proxy-models",
        "no-default-models",
    ],
)
def test_a_model_that_cannot_be_one_is_invalid_even_where_everything_is_granted(model: str) -> None:
    world = World(policy=policy(roles=(role(grants=Grant(routes=(CHAT,), models=("*",))),)))

    assert world.reason(claims=READER, model=model) == "MODEL_INVALID"
    assert world.reason(claims=READER, fallback_models=(model,)) == "MODEL_INVALID"


@pytest.mark.parametrize(
    "model", ["GPT-4o", "\uff47pt-4o", "o1", "gpt-4", "openai/gpt-4o", "claude-3", "gpt-4o-claude"]
)
def test_a_model_that_no_grant_covers_is_denied(model: str) -> None:
    # `gpt-4o-claude` fits the wildcard, and means claude-3: the model that would be called is what counts.
    assert World().reason(claims=READER, model=model) == "MODEL_NOT_GRANTED"


def test_an_alias_is_resolved_and_answered() -> None:
    world = World(policy=policy(roles=(role(grants=Grant(routes=(CHAT,), models=("default",))),)))

    decision = world.ask(claims=READER, model="default")

    assert decision.verdict.resolved_model == "gpt-4o"
    assert world.reason(claims=READER, model="gpt-4o") == "ALLOWED"


def test_the_policys_own_aliases_mean_their_models() -> None:
    world = World(policy=policy(model_aliases={"mine": "gpt-4o", "theirs": "o1"}))

    assert world.ask(claims=READER, model="mine").verdict.resolved_model == "gpt-4o"
    assert world.reason(claims=READER, model="theirs") == "MODEL_NOT_GRANTED"


@pytest.mark.parametrize(
    ("entry", "covered"),
    [
        ("access-group/fast", {"gpt-4o", "gpt-4o-mini", "default"}),
        ("fast", {"gpt-4o", "gpt-4o-mini", "default"}),
        ("access-group/none", set()),
        ("openai/*", {"gpt-4o", "gpt-4o-mini", "o1", "default"}),
        ("*", {"gpt-4o", "gpt-4o-mini", "o1", "claude-3", "default", "gpt-4o-claude"}),
        ("all-proxy-models", {"gpt-4o", "gpt-4o-mini", "o1", "claude-3", "default", "gpt-4o-claude"}),
        ("no-default-models", set()),
        ("o1", {"o1"}),
    ],
)
def test_a_list_entry_covers_by_name_group_provider_or_star(entry: str, covered: set[str]) -> None:
    catalogue = Catalogue(CATALOGUE)

    found = {
        name for name in catalogue.names() if ModelLists(catalogue).listed((entry,)).covers(catalogue.resolve(name, {}))
    }

    assert found == covered


def test_a_model_wins_over_a_group_of_the_same_name() -> None:
    catalogue = Catalogue([CatalogueModel(name="fast"), CatalogueModel(name="slow", groups=("fast",))])

    covered = ModelLists(catalogue).listed(("fast",))

    assert (covered.covers(catalogue.resolve("fast", {})), covered.covers(catalogue.resolve("slow", {}))) == (
        True,
        False,
    )


def test_a_route_that_needs_a_model_is_denied_without_one() -> None:
    world = World()

    assert world.reason(claims=READER, model=None) == "MODEL_REQUIRED"
    assert world.reason(claims=READER, model=None, fallback_models=("gpt-4o",)) == "MODEL_REQUIRED"
    assert world.reason(claims=READER, route="/v1/models", model=None) == "ALLOWED"


def test_a_model_on_a_route_that_needs_none_is_checked_all_the_same() -> None:
    assert World().reason(claims=READER, route="/v1/models", model="o1") == "MODEL_NOT_GRANTED"


def test_the_model_in_the_url_and_the_one_in_the_question_must_both_be_allowed() -> None:
    grants = Grant(routes=("/openai/deployments/{model}/chat/completions",), models=("gpt-4o*",))
    world = World(policy=policy(roles=(role(grants=grants),)))

    def ask(in_url: str, model: str | None) -> tuple[str, str]:
        decision = world.ask(claims=READER, route=f"/openai/deployments/{in_url}/chat/completions", model=model)
        return decision.verdict.reason.name, decision.verdict.resolved_model

    assert ask("gpt-4o", None) == ("ALLOWED", "gpt-4o")
    assert ask("gpt-4o-mini", "gpt-4o") == ("ALLOWED", "gpt-4o-mini")
    assert ask("o1", "gpt-4o") == ("MODEL_NOT_GRANTED", "")
    assert ask("gpt-4o", "o1") == ("MODEL_NOT_GRANTED", "")


def test_every_fallback_must_be_allowed() -> None:
    world = World()

    assert world.reason(claims=READER, fallback_models=("gpt-4o-mini",)) == "ALLOWED"
    assert world.reason(claims=READER, fallback_models=("gpt-4o-mini", "o1")) == "MODEL_NOT_GRANTED"
    assert world.reason(claims=READER, fallback_models=("gpt-4o",) * 17) == "MODEL_INVALID"


@pytest.mark.parametrize("entry", ["gpt-4o", "gpt-*", "default", "access-group/fast", "openai/*", "*"])
def test_a_denied_model_is_denied_whoever_grants_it(entry: str) -> None:
    denying = role("no", value="No", grants=Grant(), deny=Grant(models=(entry,)))
    world = World(policy=policy(roles=(role(grants=Grant(routes=(CHAT,), models=("*",))), denying)))
    claims = {"roles": ["Reader", "No"], "scope": "admin"}

    assert world.reason(claims=claims) == "MODEL_DENIED"
    assert world.reason(claims=claims, model="default") == "MODEL_DENIED"
    assert world.reason(claims=claims, model="gpt-4o-mini", fallback_models=("gpt-4o",)) == "MODEL_DENIED"


@pytest.mark.parametrize(
    ("models", "reason"),
    [(None, "ALLOWED"), ((), "MODEL_NOT_GRANTED"), (("o1",), "MODEL_NOT_GRANTED"), (("*",), "ALLOWED")],
)
def test_an_organizations_models_are_a_ceiling(models: tuple[str, ...] | None, reason: str) -> None:
    world = World(
        teams=(Team(id="red", models=("*",), organization="acme"),),
        organizations=(Organization(id="acme", models=models),),
    )

    assert world.reason(claims={"groups": ["red"]}) == reason


@pytest.mark.parametrize(
    ("models", "reason"), [(None, "MODEL_NOT_GRANTED"), ((), "MODEL_NOT_GRANTED"), (("*",), "ALLOWED")]
)
def test_a_teams_models_are_a_grant(models: tuple[str, ...] | None, reason: str) -> None:
    assert World(teams=(Team(id="red", models=models),)).reason(claims={"groups": ["red"]}) == reason


def test_a_users_models_are_a_grant_without_a_team_and_a_ceiling_beside_one() -> None:
    user = User(id="alice", models=("gpt-4o",))
    world = World(users=(user,), teams=(Team(id="red", models=("gpt-4o", "o1")), Team(id="blue", models=("o1",))))

    assert world.reason(model="gpt-4o") == "ALLOWED"
    assert world.reason(model="gpt-4o", claims={"groups": ["red"]}) == "ALLOWED"
    assert world.reason(model="o1", claims={"groups": ["red"]}) == "MODEL_NOT_GRANTED"
    assert world.reason(model="gpt-4o", claims={"groups": ["blue"]}) == "MODEL_NOT_GRANTED"


def test_a_teams_own_alias_means_its_model_for_that_team_only() -> None:
    red = Team(id="red", models=("gpt-4o",), model_aliases={"ours": "gpt-4o", "sneaky": "o1"})
    world = World(teams=(red, Team(id="blue", models=("gpt-4o",))))

    decision = world.ask(claims={"groups": ["red"]}, model="ours")

    assert (decision.verdict.reason.name, decision.verdict.resolved_model) == ("ALLOWED", "gpt-4o")
    assert world.reason(claims={"groups": ["red"]}, model="sneaky") == "MODEL_NOT_GRANTED"
    assert world.reason(claims={"groups": ["blue"]}, model="ours") == "MODEL_NOT_GRANTED"


@pytest.mark.parametrize(
    ("entry", "model"),
    [
        ("openai/gpt-4o", "gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("access-group/fast", "openai/gpt-4o"),
        ("openai/gpt-4o", "default"),
        ("fast", "fast"),
        ("fast", "gpt-4o"),
        ("def*", "ours"),
        ("unheard-of", "unheard-of"),
    ],
)
def test_a_denied_model_has_no_other_name(entry: str, model: str) -> None:
    everything = role(grants=Grant(routes=(CHAT,), models=("*",)))
    denying = role("no", value="No", grants=Grant(), deny=Grant(models=(entry,)))
    team = Team(id="red", models=("*",), model_aliases={"ours": "default"})
    claims = {"roles": ["Reader", "No"], "groups": ["red"]}

    assert World(policy=policy(roles=(everything, denying)), teams=(team,)).reason(claims=claims, model=model) == (
        "MODEL_DENIED"
    )


@pytest.mark.parametrize(
    ("models", "aliases", "entry", "model"),
    [
        # An alias of the policy may mean a model by its provider's name.
        (CATALOGUE, {"quick": "openai/gpt-4o"}, "gpt-4o", "quick"),
        (CATALOGUE, {"quick": "openai/gpt-4o"}, "access-group/fast", "quick"),
        (CATALOGUE, {"quick": "openai/gpt-4o"}, "quick", "gpt-4o"),
        # What looks like a provider's model may be an alias of another, or another model by itself.
        (CATALOGUE, {"openai/gpt-4o": "o1"}, "o1", "openai/gpt-4o"),
        (CATALOGUE, {"openai/gpt-4o": "o1"}, "gpt-4o", "openai/gpt-4o"),
        ((*CATALOGUE, CatalogueModel(name="openai/o1", groups=("own",))), {}, "access-group/own", "openai/o1"),
        ((*CATALOGUE, CatalogueModel(name="openai/o1", groups=("own",))), {}, "o1", "openai/o1"),
        # A pattern of the catalogue names a provider for each model that it fits.
        ((CatalogueModel(name="gpt-*", provider="openai", groups=("all",)),), {}, "gpt-4", "openai/gpt-4"),
        ((CatalogueModel(name="gpt-*", provider="openai", groups=("all",)),), {}, "openai/gpt-4", "gpt-4"),
        ((CatalogueModel(name="gpt-*", provider="openai", groups=("all",)),), {}, "access-group/all", "openai/gpt-4"),
    ],
)
def test_a_denied_model_has_no_other_name_whatever_the_catalogue_calls_it(
    models: tuple[CatalogueModel, ...], aliases: dict[str, str], entry: str, model: str
) -> None:
    everything = role(grants=Grant(routes=(CHAT,), models=("*",)))
    denying = role("no", value="No", grants=Grant(), deny=Grant(models=(entry,)))
    world = World(policy=policy(roles=(everything, denying), models=models, model_aliases=aliases))

    assert world.reason(claims={"roles": ["Reader"]}, model=model) == "ALLOWED"
    assert world.reason(claims={"roles": ["Reader", "No"]}, model=model) == "MODEL_DENIED"


@pytest.mark.parametrize(
    "model", ["other/gpt-4", "openai/o1", "openai/", "gpt-5", "openai/openai/gpt-4", "openai/gpt-mine"]
)
def test_a_denied_model_of_a_provider_is_no_other_model(model: str) -> None:
    everything = role(grants=Grant(routes=(CHAT,), models=("*",)))
    denying = role("no", value="No", grants=Grant(), deny=Grant(models=("gpt-4", "gpt-mine")))
    # The catalogue names no provider of `gpt-mine`, which has an entry of its own.
    models = (
        CatalogueModel(name="gpt-*", provider="openai"),
        CatalogueModel(name="*1"),
        CatalogueModel(name="gpt-mine"),
    )

    world = World(policy=policy(roles=(everything, denying), models=models))

    assert world.reason(claims={"roles": ["Reader", "No"]}, model=model) == "ALLOWED"


def test_a_grant_of_a_bare_name_does_not_cover_it_with_a_provider_nor_the_other_way_round() -> None:
    granting = role(grants=Grant(routes=(CHAT,), models=("openai/gpt-4o",)))

    assert World().reason(claims=READER, model="openai/gpt-4o") == "MODEL_NOT_GRANTED"
    assert World(policy=policy(roles=(granting,))).reason(claims=READER, model="gpt-4o") == "MODEL_NOT_GRANTED"


DEPLOYMENT = "/openai/deployments/o1/chat/completions"


@pytest.mark.parametrize(
    ("sources", "asked", "answer"),
    [
        ("every", {"route": DEPLOYMENT, "model": None}, ("MODEL_NOT_GRANTED", "")),
        ("question", {"route": DEPLOYMENT, "model": None}, ("ALLOWED", "")),
        ("every", {"route": DEPLOYMENT}, ("MODEL_NOT_GRANTED", "")),
        ("question", {"route": DEPLOYMENT}, ("ALLOWED", "gpt-4o")),
        ("every", {"fallback_models": ("o1",)}, ("MODEL_NOT_GRANTED", "")),
        ("question", {"fallback_models": ("o1",)}, ("ALLOWED", "gpt-4o")),
        ("question", {"model": "o1"}, ("MODEL_NOT_GRANTED", "")),
        ("every", {"model": None, "fallback_models": ("gpt-4o",)}, ("MODEL_REQUIRED", "")),
        # However many there are that do not count, they are bounded.
        ("question", {"fallback_models": ("gpt-4o",) * 17}, ("MODEL_INVALID", "")),
        ("question", {"fallback_models": ("gpt-4o",) * 16}, ("ALLOWED", "gpt-4o")),
    ],
)
def test_the_models_of_url_and_fallbacks_count_unless_only_the_questions_does(
    sources: str, asked: dict[str, Any], answer: tuple[str, str]
) -> None:
    templates = RouteRules(model_templates=("/openai/deployments/{model}/chat/completions",), model_required=(CHAT,))
    granting = role(grants=Grant(routes=(CHAT, DEPLOYMENT), models=("gpt-4o",)))
    options = with_values(STRICT, {"model.sources": sources})

    verdict = (
        World(policy=policy(roles=(granting,), routes=templates, options=options)).ask(claims=READER, **asked).verdict
    )

    assert (verdict.reason.name, verdict.resolved_model) == answer


def test_the_url_names_the_model_that_a_route_needs_whichever_counts() -> None:
    template = "/openai/deployments/{model}/chat/completions"
    rules = RouteRules(model_templates=(template,), model_required=(template, CHAT))
    granting = role(grants=Grant(routes=(template, CHAT), models=("*",)))

    for sources in ("every", "question"):
        options = with_values(STRICT, {"model.sources": sources})
        world = World(policy=policy(roles=(granting,), routes=rules, options=options))

        assert world.reason(claims=READER, route=DEPLOYMENT, model=None) == "ALLOWED"
        assert world.reason(claims=READER, model=None) == "MODEL_REQUIRED"
