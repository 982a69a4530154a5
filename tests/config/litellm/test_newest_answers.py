"""A configuration of the newest LiteLLM is answered as the newest LiteLLM (1.109.1) answers, or more strictly.

The recorded cases of `tests/parity/` have its answers, too. What usherd allows beyond them is of a closed list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from usherd.config.litellm import LATEST
from usherd.parity import setup
from usherd.parity.answers import Answer
from usherd.parity.cases import Case, KeyDocuments, read_cases
from usherd.parity.fixtures import importable
from usherd.parity.runner import running

FOLDER = Path(__file__).parents[2] / "parity"
CASES = FOLDER / "cases.jsonl.xz"
EVERY = 4
"""Of the cases that tell no version from another, one in so many is asked."""
LEAST_ALIKE = 0.9
"""The share of cases with the same verdict. Most of the others are denied here and allowed there."""


def _setting(case: Case, name: str) -> object:
    return (case.config["general_settings"].get("litellm_jwtauth") or {}).get(name)


def _claim(case: Case, field: str) -> object:
    name = _setting(case, field)
    return case.claims.get(name) if isinstance(case.claims, dict) and isinstance(name, str) else None


def _lists(case: Case) -> list[list[str]]:
    rows = [*(case.directory.get("teams") or {}).values(), *(case.directory.get("users") or {}).values()]
    return [row.get("models") or [] for row in rows]


ALLOWED_BEYOND: Mapping[str, Callable[[Case], bool]] = {
    "an absent address is of no domain, and LiteLLM denies it": lambda case: (
        _setting(case, "user_allowed_email_domain") is not None and not _claim(case, "user_email_jwt_field")
    ),
    "a text is no list of roles, and so makes no team that must exist": lambda case: isinstance(
        _claim(case, "roles_jwt_field"), str
    ),
    "a route is read without the slash at its end": lambda case: case.route.endswith("/"),
    "roles that nobody knows are not in a directory": lambda case: any(
        row.get("user_role") == "something_else" for row in (case.directory.get("users") or {}).values()
    ),
    "a map of PEM texts is a key document": lambda case: case.keys.startswith("pem_map"),
    "what else is in a body is the gateway's": lambda case: (
        not {"api_base", "base_url", "metadata"}.isdisjoint(case.request)
    ),
    "aliases count for lists of teams, too": lambda case: (
        "model_alias_map" in (case.config.get("litellm_settings") or {})
    ),
    "no-default-models means nothing beside other models": lambda case: any(
        "no-default-models" in models and len(models) > 1 for models in _lists(case)
    ),
    "the catalogue says whose a model is": lambda case: any(
        entry.endswith("/*") for models in _lists(case) for entry in models
    ),
}


class Asked(NamedTuple):
    """A case, and what usherd answers."""

    case: Case
    answer: Answer

    @property
    def theirs(self) -> bool:
        """Whether 1.109.1 allows it."""
        return bool(self.case.latest["http"]["allowed"])


def _is_telling(case: Case) -> bool:
    return bool(case.latest.get("changed")) or any(holds(case) for holds in ALLOWED_BEYOND.values())


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    cases = [case for place, case in enumerate(read_cases(CASES)) if place % EVERY == 0 or _is_telling(case)]

    async def answers() -> list[Asked]:
        async with running(KeyDocuments(FOLDER / "jwks")) as runner:
            return [Asked(case, await runner.ask(case)) for case in cases]

    with pytest.MonkeyPatch.context() as patch, importable(CASES):
        patch.setattr(setup, "VERSION", LATEST)
        return asyncio.run(answers())


def test_what_the_newest_litellm_denies_is_denied_but_for_a_closed_list(asked: list[Asked]) -> None:
    beyond = [each.case for each in asked if each.answer.allowed and not each.theirs]

    unnamed = [case.id for case in beyond if not any(holds(case) for holds in ALLOWED_BEYOND.values())]
    assert unnamed == []
    assert len(beyond) < 0.025 * len(asked)
    for holds in ALLOWED_BEYOND.values():
        assert any(holds(case) for case in beyond)


def test_nearly_every_verdict_is_the_newest_litellms(asked: list[Asked]) -> None:
    alike = sum(each.answer.allowed == each.theirs for each in asked)

    assert alike > LEAST_ALIKE * len(asked)


def test_who_is_allowed_is_the_same_administrator_team_and_user(asked: list[Asked]) -> None:
    both = [each for each in asked if each.answer.allowed and each.theirs]

    others = [each.case.id for each in both if _ids(each) != _their_ids(each)]
    assert len(both) > 500
    assert len(others) <= 4


def _ids(each: Asked) -> tuple[object, ...]:
    ids = each.answer.ids
    return (ids.is_proxy_admin or None, ids.team_id or None, ids.user_id or None, ids.org_id or None)


def _their_ids(each: Asked) -> tuple[object, ...]:
    ids = each.case.latest.get("ids") or {}
    return tuple(ids.get(name) or None for name in ("is_proxy_admin", "team_id", "user_id", "org_id"))
