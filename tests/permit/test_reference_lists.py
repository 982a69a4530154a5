"""Lists of models and the catalogue: read in full, name by name, or as the reference reads teams' and users' lists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.facts import Organization, Team, User
from usherd.options import STRICT, with_values
from usherd.permit.model_lists import EVERYTHING, NOTHING, ModelLists, ModelSet, Rules
from usherd.permit.models import Catalogue, KnownModel, bounded_model, well_formed_model
from usherd.policy import CatalogueModel
from worlds import CATALOGUE, World, policy

EVERY_NAME = {"gpt-4o", "gpt-4o-mini", "claude-3", "o1", "unheard-of"}


def covered(entries: tuple[str, ...], rules: Rules) -> set[str]:
    catalogue = Catalogue(CATALOGUE)
    lists = ModelLists(catalogue)
    return {name for name in EVERY_NAME if lists.listed(entries, rules).covers(catalogue.literal(name))}


@pytest.mark.parametrize(
    ("entries", "exact", "team", "user"),
    [
        ((), set(), set(), set()),
        (("o1",), {"o1"}, {"o1"}, {"o1"}),
        (("*",), set(), EVERY_NAME, EVERY_NAME),
        # Only of teams is that word everything; of users it is a name that no model has.
        (("all-proxy-models",), set(), EVERY_NAME, set()),
        (("ALL-PROXY-MODELS",), set(), set(), set()),
        (("o1", "all-proxy-models"), {"o1"}, EVERY_NAME, {"o1"}),
        (("no-default-models",), set(), set(), set()),
        (("o1", "no-default-models"), {"o1"}, {"o1"}, set()),
        # Access groups have no prefix there.
        (("fast",), set(), {"gpt-4o", "gpt-4o-mini"}, {"gpt-4o", "gpt-4o-mini"}),
        (("access-group/fast",), set(), set(), set()),
        (("gpt-*",), set(), {"gpt-4o", "gpt-4o-mini"}, {"gpt-4o", "gpt-4o-mini"}),
        (("openai/*",), set(), {"gpt-4o", "gpt-4o-mini", "o1"}, {"gpt-4o", "gpt-4o-mini", "o1"}),
        # A name is no pattern, and so none of a provider's.
        (("openai/o1",), set(), set(), set()),
        # To the reference a regular expression, which means something else than it says: it covers nothing.
        (("gpt-4o+*",), set(), set(), set()),
        (("gpt-*", "[*"), set(), {"gpt-4o", "gpt-4o-mini"}, {"gpt-4o", "gpt-4o-mini"}),
        # No alias is followed.
        (("default",), set(), set(), set()),
    ],
)
def test_what_a_list_covers_as_it_is_read(
    entries: tuple[str, ...], exact: set[str], team: set[str], user: set[str]
) -> None:
    assert covered(entries, "exact") == exact
    assert covered(entries, "team") == team
    assert covered(entries, "user") == user


@pytest.mark.parametrize(
    ("entries", "refuses"),
    [
        ((), False),
        (("o1",), False),
        (("no-default-models",), True),
        (("o1", "no-default-models"), True),
        (("*",), True),
        (("gpt-*",), True),
        (("o1", "gpt-*"), True),
        (("NO-DEFAULT-MODELS",), False),
    ],
)
def test_some_lists_of_users_refuse_requests_without_a_model(entries: tuple[str, ...], refuses: bool) -> None:
    lists = ModelLists(Catalogue(CATALOGUE))

    assert lists.listed(entries, "user").refuses_without_model is refuses
    for rules in ("full", "team", "exact"):
        assert lists.listed(entries, rules).refuses_without_model is False


@pytest.mark.parametrize(
    ("models", "anything"),
    [
        (NOTHING, False),
        (EVERYTHING, True),
        (ModelSet(names=frozenset({"x"})), True),
        (ModelSet(groups=frozenset({"x"})), True),
        (ModelSet(patterns=("x*",)), True),
        (ModelSet(refuses_without_model=True), False),
    ],
)
def test_a_set_is_true_when_it_covers_anything_at_all(models: ModelSet, anything: bool) -> None:
    assert bool(models) is anything


def test_words_without_a_meaning_in_a_list_stand_in_no_entrys_way() -> None:
    assert covered(("no-default-models", "all-team-models", "o1"), "full") == {"o1"}


def test_the_same_list_gives_the_same_set_and_each_reading_its_own() -> None:
    lists = ModelLists(Catalogue(CATALOGUE))
    first = lists.listed(("fast",), "full")

    assert lists.listed(("fast",)) is lists.listed(("fast",), "full") is first
    assert lists.listed(("fast",), "team") is not first
    assert lists.listed(("o1",), "full") is not first


def test_a_deny_list_denies_what_it_means_and_each_entry_to_the_letter() -> None:
    denied = ModelLists(Catalogue(CATALOGUE)).denied(("default", "openai/o1", "gpt-4o-*", "fast"))

    assert denied.names == {"gpt-4o", "openai/o1", "o1", "default", "gpt-4o-*", "fast"}
    assert (denied.groups, denied.patterns, denied.everything) == ({"fast"}, ("gpt-4o-*",), False)


def test_a_deny_list_denies_an_alias_that_looks_like_a_providers_model_and_that_model() -> None:
    catalogue = Catalogue([*CATALOGUE, CatalogueModel(name="x", aliases=("openai/o1",))])

    assert ModelLists(catalogue).denied(("openai/o1",)).names == {"openai/o1", "o1", "x"}


def wildcards() -> Catalogue:
    return Catalogue(
        [
            CatalogueModel(name="openai/*", provider="openai", groups=("all",)),
            CatalogueModel(name="openai/gpt-*", provider="azure", groups=("gpt",)),
            CatalogueModel(name="*ab", groups=("first",)),
            CatalogueModel(name="ab*", groups=("second",)),
            CatalogueModel(name="openai/gpt-4o", provider="openai", groups=("own",), aliases=("mine", "ours")),
            CatalogueModel(name="bare"),
        ],
        {"ours": "o1", "extra": "unheard-of"},
    )


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("openai/gpt-4o", KnownModel("openai/gpt-4o", frozenset({"own"}), "openai/openai/gpt-4o")),
        # The longest pattern says most about a model; of equal ones the first by code points.
        ("openai/gpt-5", KnownModel("openai/gpt-5", frozenset({"gpt"}), "azure/openai/gpt-5")),
        ("openai/o1", KnownModel("openai/o1", frozenset({"all"}), "openai/openai/o1")),
        ("abab", KnownModel("abab", frozenset({"first"}), "")),
        ("abx", KnownModel("abx", frozenset({"second"}), "")),
        ("bare", KnownModel("bare", frozenset(), "")),
        ("mine", KnownModel("mine")),
        ("unheard-of", KnownModel("unheard-of")),
    ],
)
def test_a_model_is_known_by_its_name_or_by_the_longest_pattern_that_it_fits(name: str, model: KnownModel) -> None:
    assert wildcards().literal(name) == model


@pytest.mark.parametrize(
    ("name", "own", "meant"),
    [
        ("mine", {}, "openai/gpt-4o"),
        # The policy's aliases come before the catalogue's, and need not name a model of it.
        ("ours", {}, "o1"),
        ("extra", {}, "unheard-of"),
        ("unheard-of", {}, "unheard-of"),
        # A team's own alias comes first, is followed once, and may mean one of the others.
        ("mine", {"mine": "o1"}, "o1"),
        ("x", {"x": "mine"}, "openai/gpt-4o"),
        ("x", {"x": "y", "y": "mine"}, "y"),
        ("openai/gpt-4o", {"openai/gpt-4o": "abx"}, "abx"),
    ],
)
def test_an_alias_means_its_model_and_is_followed_once(name: str, own: dict[str, str], meant: str) -> None:
    assert wildcards().resolve(name, own) == wildcards().literal(meant)


def test_an_alias_never_shadows_a_model_of_the_catalogue() -> None:
    catalogue = Catalogue([CatalogueModel(name="a", aliases=("b",)), CatalogueModel(name="b")], {"a": "b"})

    assert (catalogue.meant("a"), catalogue.meant("b")) == ("a", "b")


def test_the_catalogue_lists_names_and_aliases_and_no_patterns() -> None:
    catalogue = wildcards()

    assert catalogue.names() == ["bare", "extra", "mine", "openai/gpt-4o", "ours"]
    assert [catalogue.has(name) for name in ("openai/gpt-4o", "mine", "extra", "openai/*", "o1")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert catalogue.groups == {"all", "gpt", "first", "second", "own"}


def test_a_denial_may_mean_the_name_the_teams_alias_or_the_model_itself() -> None:
    catalogue = Catalogue(CATALOGUE)

    assert catalogue.names_on_the_way("ours", {"ours": "openai/o1"}) == (
        KnownModel("ours"),
        KnownModel("openai/o1"),
        catalogue.literal("o1"),
    )
    assert catalogue.names_on_the_way("default", {}) == (KnownModel("default"), catalogue.literal("gpt-4o"))
    assert (catalogue.of_provider_name("openai/o1"), catalogue.of_provider_name("o1")) == ("o1", "o1")


@pytest.mark.parametrize(
    ("model", "well_formed", "bounded"),
    [
        ("", False, True),
        ("x", True, True),
        ("x" * 256, True, True),
        ("x" * 257, False, False),
        pytest.param("é" * 128, True, True, id="256 bytes"),
        pytest.param("é" * 129, False, False, id="258 bytes"),
        ("gpt 4o", False, True),
        ("gpt-*", False, True),
        pytest.param("a\0b", False, False, id="NUL within"),
        pytest.param("\0", False, False, id="NUL"),
        pytest.param("\ud800", False, True, id="half a character"),
        ("XX", True, True),
        ("all-team-models", False, True),
    ],
)
def test_a_name_is_short_and_to_the_reference_that_is_all(model: str, well_formed: bool, bounded: bool) -> None:
    assert well_formed_model(model) is well_formed
    assert bounded_model(model) is bounded


def world(options: dict[str, Any], **rows: Any) -> World:
    return World(policy=policy(options=with_values(STRICT, options)), **rows)


RED = {"groups": ["red"]}
ACME = Organization(id="acme")


@pytest.mark.parametrize(
    ("empty", "models", "reason"),
    [
        ("nothing", None, "MODEL_NOT_GRANTED"),
        ("nothing", (), "MODEL_NOT_GRANTED"),
        ("all", None, "ALLOWED"),
        ("all", (), "ALLOWED"),
        ("all", ("o1",), "MODEL_NOT_GRANTED"),
        ("nothing", ("gpt-4o",), "ALLOWED"),
    ],
)
def test_an_empty_list_grants_nothing_or_everything(empty: str, models: tuple[str, ...] | None, reason: str) -> None:
    options = {"lists.empty": empty}

    assert world(options, teams=(Team(id="red", models=models),)).reason(claims=RED) == reason
    assert world(options, users=(User(id="alice", models=models),)).reason() == reason


@pytest.mark.parametrize(
    ("empty", "models", "reason"),
    [
        ("nothing", None, "ALLOWED"),
        ("nothing", (), "MODEL_NOT_GRANTED"),
        ("all", (), "ALLOWED"),
        ("all", ("o1",), "MODEL_NOT_GRANTED"),
        ("all", ("gpt-4o",), "ALLOWED"),
    ],
)
def test_an_empty_ceiling_leaves_nothing_or_everything(empty: str, models: tuple[str, ...] | None, reason: str) -> None:
    team = Team(id="red", models=("*",), organization="acme")
    asking = world({"lists.empty": empty}, teams=(team,), organizations=(replace(ACME, models=models),))
    beside = world(
        {"lists.empty": empty}, teams=(team,), users=(User(id="alice", models=models),), organizations=(ACME,)
    )

    assert asking.reason(claims=RED) == reason
    assert beside.reason(claims=RED) == reason


@pytest.mark.parametrize(
    ("rules", "entry", "model", "reason"),
    [
        ("full", "access-group/fast", "gpt-4o", "ALLOWED"),
        ("exact", "access-group/fast", "gpt-4o", "MODEL_NOT_GRANTED"),
        ("exact", "fast", "gpt-4o", "ALLOWED"),
        ("exact", "all-proxy-models", "o1", "ALLOWED"),
        # The list is held against the name that was asked for, not against what an alias means.
        ("full", "gpt-4o", "default", "ALLOWED"),
        ("exact", "gpt-4o", "default", "MODEL_NOT_GRANTED"),
        ("full", "default", "default", "ALLOWED"),
        ("exact", "default", "default", "ALLOWED"),
    ],
)
def test_a_single_teams_list_is_read_in_full_or_as_the_reference_does(
    rules: str, entry: str, model: str, reason: str
) -> None:
    options = {"team.choice": "reference", "team.model_rules": rules}

    assert (
        world(options, teams=(Team(id="red", models=(entry,)),)).reason(claims={"team": "red"}, model=model) == reason
    )


@pytest.mark.parametrize(
    ("rules", "entries", "model", "reason"),
    [
        ("full", ("access-group/fast",), "gpt-4o", "ALLOWED"),
        ("reference", ("access-group/fast",), "gpt-4o", "MODEL_NOT_GRANTED"),
        ("reference", ("fast",), "gpt-4o", "ALLOWED"),
        ("full", ("all-proxy-models",), "gpt-4o", "ALLOWED"),
        ("reference", ("all-proxy-models",), "gpt-4o", "MODEL_NOT_GRANTED"),
        ("reference", ("gpt-4o",), None, "ALLOWED"),
        ("reference", ("*",), None, "MODEL_NOT_GRANTED"),
        ("reference", ("*",), "gpt-4o", "ALLOWED"),
        ("full", ("*",), None, "ALLOWED"),
        ("full", ("no-default-models",), None, "ALLOWED"),
        ("reference", ("no-default-models",), None, "MODEL_NOT_GRANTED"),
    ],
)
def test_a_users_list_is_read_in_full_or_as_the_reference_does(
    rules: str, entries: tuple[str, ...], model: str | None, reason: str
) -> None:
    asking = world({"user.model_rules": rules}, users=(User(id="alice", models=entries),))

    assert asking.reason(route="/v1/models", model=model) == reason


def test_beside_a_team_a_users_list_refuses_no_request_without_a_model() -> None:
    asking = world(
        {"user.model_rules": "reference"},
        users=(User(id="alice", models=("no-default-models",)),),
        teams=(Team(id="red", models=("*",)),),
    )

    assert asking.reason(claims=RED, route="/v1/models", model=None) == "ALLOWED"
