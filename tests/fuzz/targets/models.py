"""Models: names are well formed or not, wildcards fit what a slow matcher says, and lists cover what they list.

An input is a JSON object: a catalogue, a gateway's aliases, a team's, lists of models, and the model asked for.
"""

from __future__ import annotations

import json
from typing import Any

from fuzz.mutators import json_mutator
from fuzz.target import Target
from usherd.config.patterns import (
    check_any_model,
    check_literal_route,
    check_model_entry,
    check_model_name,
    check_model_pattern,
    check_name,
)
from usherd.config.problems import Unusable
from usherd.globs import fits, fits_any
from usherd.permit.model_lists import EVERYTHING, NOTHING, ModelLists, Rules
from usherd.permit.models import (
    GROUP_PREFIX,
    MAX_MODEL_BYTES,
    RESERVED,
    Catalogue,
    KnownModel,
    bounded_model,
    well_formed_model,
)
from usherd.policy import CatalogueModel

MODELS = ("gpt-4o", "gpt-4o-mini", "claude-3", "default", "o1", "openai/gpt-4o", "openai/*", "gpt-*", "*", "*mini*",
    "fast",
          "access-group/fast", "access-group/", *sorted(RESERVED), "a*b*c", "**", "gpt[4]*", "a,b", "x\ny", "x\n",
          "é*")  # fmt: skip
COMPANY: dict[str, Any] = {
    "models": [
        {"name": "gpt-4o", "provider": "openai", "groups": ["fast"], "aliases": ["default"]},
        {"name": "gpt-4o-mini", "provider": "openai", "groups": ["fast", "cheap"]},
        {"name": "claude-*", "provider": "anthropic", "groups": ["cheap"]},
        {"name": "claude-3-*", "groups": []},
        {"name": "o1"},
    ],
    "aliases": {"small": "gpt-4o-mini", "o1": "gpt-4o"},
    "team_aliases": {"default": "o1"},
    "entries": ["gpt-4o", "claude-*"],
    "ask": "gpt-4o",
}
WORDS = (*MODELS, {"name": "o1", "provider": "openai"}, ["gpt-4o", "fast"], "x" * 256, "x" * 257, "é" * 129, "a b")
NAMES = ("models", "aliases", "team_aliases", "entries", "ask", "name", "provider", "groups", "default", "small", "o1")
RULES: tuple[Rules, ...] = ("full", "exact", "team", "user")


def _seeds() -> list[bytes]:
    changes = [{}, *({"ask": model} for model in WORDS), *({"entries": [model]} for model in MODELS), {"aliases": {}}]
    return [json.dumps(COMPANY | change).encode() for change in changes]


def _check(data: bytes) -> object:
    try:
        case = json.loads(data)
    except (ValueError, RecursionError):
        case = {"ask": data.decode("utf-8", "replace"), "entries": ["gpt*"]}
    case = case if isinstance(case, dict) else {"ask": case}
    # In UTF-8 there are no halves of pairs.
    ask = _text(case.get("ask"))
    entries = tuple(_texts(case.get("entries")))
    team = {name: _text(value) for name, value in _pairs(case.get("team_aliases"))}
    catalogue = Catalogue(_catalogue(case.get("models")), dict(_pairs(case.get("aliases"))))
    answers: list[object] = [_check_form(ask), [_check_texts(entry) for entry in (*entries, ask)]]
    _check_globs(ask, entries)
    resolved = catalogue.resolve(ask, team)
    known = [resolved, catalogue.mapped(ask), catalogue.literal(ask), *catalogue.names_on_the_way(ask, team)]
    assert resolved in known[3:] or "/" in team.get(ask, ask), "a denial that does not see what is called"
    assert all(catalogue.has(name) for name in catalogue.names())
    for name in catalogue.names():
        assert catalogue.meant(name) == name or catalogue.has(name)
    lists = ModelLists(catalogue)
    for rules in RULES:
        listed = lists.listed(entries, rules)
        assert lists.listed(entries, rules) is listed
        if rules in ("full", "team") and ("*" in entries or "all-proxy-models" in entries):
            assert all(listed.covers(model) for model in known)
        if not listed:
            assert not any(listed.covers(model) for model in known), "an empty list covers"
        answers.append([listed.covers(model) for model in known])
    full, denied, exact = lists.listed(entries), lists.denied(entries), lists.listed(entries, "exact")
    for model in known:
        assert denied.covers(model) or not full.covers(model), "what a list grants, it would not deny"
        assert exact.covers(model) == (model.name in entries)
        assert EVERYTHING.covers(model) and not NOTHING.covers(model)
        lines = "\n" in model.name[:-1]
        if not lines and any(_fits_slowly(model.name, entry) for entry in entries if _is_wildcard(entry)):
            assert full.covers(model), "not covered by a wildcard that it fits"
        if full.covers(model) and "*" not in "".join(entries) and "all-proxy-models" not in entries:
            assert _listed_plainly(model, entries, catalogue), "covered by nothing in the list"
    answers.append([denied.covers(model) for model in known])
    return answers


def _is_wildcard(entry: str) -> bool:
    return "*" in entry and not entry.startswith(GROUP_PREFIX)


def _listed_plainly(model: KnownModel, entries: tuple[str, ...], catalogue: Catalogue) -> bool:
    groups = {entry.removeprefix(GROUP_PREFIX) for entry in entries}
    return model.name in {catalogue.meant(entry) for entry in entries} or not groups.isdisjoint(model.groups)


def _check_form(ask: str) -> tuple[bool, bool]:
    well, bounded = well_formed_model(ask), bounded_model(ask)
    size = len(ask.encode("utf-8", "replace"))
    assert bounded == (size <= MAX_MODEL_BYTES and "\0" not in ask)
    assert bounded or not well
    if well:
        assert ask and size <= MAX_MODEL_BYTES and not set(ask) & set("*?[], \n\0") and ask not in RESERVED
    return well, bounded


def _check_texts(text: str) -> list[bool]:
    """Which checks of the configuration a text passes."""
    passed = []
    for check in (
        check_model_entry,
        check_model_pattern,
        check_model_name,
        check_any_model,
        check_name,
        check_literal_route,
    ):
        try:
            assert check(text) == text
        except Unusable as error:
            assert str(error).isprintable()
            passed.append(False)
        else:
            passed.append(True)
    assert passed[2] <= passed[1] <= passed[0] or text.startswith(GROUP_PREFIX) or text in RESERVED
    assert passed[2] == well_formed_model(text)
    return passed


def _check_globs(text: str, patterns: tuple[str, ...]) -> None:
    for pattern in patterns[:8]:
        assert fits(text, pattern) == _fits_slowly(text, pattern), "globs"
    assert fits_any(text, patterns) == any(fits(text, pattern) for pattern in patterns)


def _fits_slowly(text: str, pattern: str) -> bool:
    places = {0}
    for character in pattern:
        if character == "*":
            places = set(range(min(places), len(text) + 1))
        else:
            places = {place + 1 for place in places if place < len(text) and text[place] == character}
        if not places:
            return False
    return len(text) in places


def _catalogue(value: object) -> list[CatalogueModel]:
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    return [
        CatalogueModel(
            name=_text(row.get("name")),
            provider=_text(row.get("provider")),
            groups=tuple(_texts(row.get("groups"))),
            aliases=tuple(_texts(row.get("aliases"))),
        )
        for row in rows[:8]
    ]


def _text(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else repr(value)
    return text.encode("utf-8", "replace").decode()[:400]


def _texts(value: object) -> list[str]:
    return [_text(each) for each in (value if isinstance(value, list) else [value])[:8]]


def _pairs(value: object) -> list[tuple[str, str]]:
    return [(_text(name), _text(each)) for name, each in value.items()][:8] if isinstance(value, dict) else []


TARGET = Target(
    name="models", seeds=_seeds, check=_check, mutate=json_mutator(WORDS, NAMES, mostly=0.95), max_size=2048
)
