"""What the contract's comments promise, the core does."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import cast

import pytest

from usherd.domain import DependencyKind
from usherd.facts import BudgetKind, BudgetOwner, BudgetState
from usherd.ids import MAX_ID_BYTES, MAX_ID_CHARACTERS
from usherd.ports import Facts
from usherd.reading import Reading
from usherd.reasons import ANSWERS, Reason, reference_status

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto" / "usher" / "v1"
sys.path.append(str(ROOT / "tools"))
import reasons_page  # noqa: E402

LONGEST_ID = "\u0416" * MAX_ID_CHARACTERS


class Spent:
    """Facts in which every budget is exhausted."""

    def budget(self, owner: BudgetOwner) -> BudgetState:
        return BudgetState.EXCEEDED


def test_the_status_in_the_comment_of_each_reason_is_the_one_that_is_answered() -> None:
    told = {name: re.search(r"HTTP (\d+)\.$", comment) for comment, name, _ in _reasons()}

    assert {name: int(found[1]) for name, found in told.items() if found} == {
        reason.name: ANSWERS[reason].http_status for reason in Reason
    }


def test_the_status_of_a_denial_is_one_that_the_contract_names() -> None:
    comment = _comment("decision.proto", "int32 http_status = 4;")
    named = {int(found) for found in re.findall(r"\b[2-5]\d\d\b", comment)}

    denials = [reason for reason in Reason if reason >= 10]
    answered = {ANSWERS[reason].http_status for reason in denials} | {reference_status(reason) for reason in denials}
    assert answered | {200} == named


@pytest.mark.parametrize("kind", BudgetKind)
def test_the_longest_id_of_a_budget_has_the_form_and_the_bound_of_the_contract(kind: BudgetKind) -> None:
    reading = Reading(cast(Facts, Spent()))
    team = LONGEST_ID if kind is BudgetKind.MEMBER else ""
    reading.budget(BudgetOwner(kind, "" if kind is BudgetKind.GLOBAL else LONGEST_ID, team))

    (dependency,) = reading.dependencies()

    bound = re.search(r"at most (\d+) bytes", _comment("decision.proto", "string id = 2;"))
    forms = re.findall(r'"([a-z_]+(?::[A-Z:/]+)?)"', _comment("decision.proto", "DEPENDENCY_KIND_BUDGET = 9;"))
    values = {"ID": LONGEST_ID, "TEAM": LONGEST_ID, "USER": LONGEST_ID, "LENGTH": str(MAX_ID_CHARACTERS)}
    allowed = {re.sub("ID|TEAM|USER|LENGTH", lambda found: values[found[0]], form) for form in forms}
    assert bound is not None
    assert len(LONGEST_ID.encode()) == MAX_ID_BYTES
    assert len(dependency.id.encode()) <= int(bound[1])
    assert dependency.id in allowed
    assert dependency.kind is DependencyKind.BUDGET


@pytest.mark.parametrize("state", BudgetState)
def test_the_revision_of_a_budget_is_a_state_that_the_contract_names(state: BudgetState) -> None:
    assert f'"{state.name.lower()}"' in _comment("decision.proto", "string revision = 3;")


def _reasons() -> list[tuple[str, str, str]]:
    return reasons_page.entries(PROTO / "reason.proto")


def _comment(file: str, element: str) -> str:
    """The comment in front of an element, on one line."""
    found = re.search(r"((?:^ *//.*\n)+) *" + re.escape(element), (PROTO / file).read_text(), re.MULTILINE)
    assert found is not None, element
    return " ".join(line.strip(" /") for line in found[1].splitlines())
