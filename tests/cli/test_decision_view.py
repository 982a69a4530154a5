"""Decisions as people and scripts see them: the status in force, and a candidate that nobody takes for the answer."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from tools.rpc_world import ALLOW, DENY, decision
from usherd.cli.console import say_json
from usherd.cli.decision_view import decision_json, show_decision
from usherd.domain import CheckOutcome, CheckResult, Effect, Explanation, Principal, ShadowVerdict, Verdict
from usherd.reasons import Reason

PASSED = CheckResult("routes", CheckOutcome.PASSED)
STOPPED = CheckResult("budgets", CheckOutcome.DENIED, Reason.TEAM_BUDGET_EXHAUSTED, "The budget is exhausted.")
STRICTER = ShadowVerdict(
    effect=Effect.DENY, reason=Reason.TEAM_BUDGET_EXHAUSTED, policy="digest", checks=(PASSED, STOPPED)
)
SILENT = ShadowVerdict(effect=None, reason=None, policy="digest")


def explained(shadow: ShadowVerdict | None, verdict: Verdict = ALLOW) -> Verdict:
    return replace(verdict, explanation=Explanation(checks=(PASSED,), team_candidates=("a", "b"), shadow=shadow))


def shown(verdict: Verdict, capsys: pytest.CaptureFixture[str]) -> str:
    show_decision(decision(verdict))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(ALLOW, 200), (DENY, 403), (replace(DENY, http_status=401), 401), (replace(DENY, http_status=400), 400)],
    ids=["allowed", "of the reason", "of the verdict", "unusual"],
)
def test_the_status_is_the_one_in_force(verdict: Verdict, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"(HTTP {status})" in shown(verdict, capsys).splitlines()[0]
    assert decision_json(decision(verdict))["http_status"] == status


def test_a_candidate_is_told_after_the_answer_with_its_own_checks(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(explained(STRICTER), capsys).splitlines()

    at = next(number for number, line in enumerate(lines) if "shadow" in line)
    assert lines[0].startswith("ALLOW  ALLOWED")
    assert lines[at].startswith("shadow: would DENY  TEAM_BUDGET_EXHAUSTED")
    assert any("teams tried: a, b" in line for line in lines[:at])
    assert not any("budgets" in line for line in lines[:at])
    assert any("budgets" in line and "denied" in line for line in lines[at:])


def test_a_candidate_without_an_answer_has_made_no_decision(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(explained(SILENT), capsys).splitlines()

    assert lines[-1] == "shadow: no decision  the candidate policy had no answer"


def test_a_candidate_that_would_allow_leaves_a_denial_a_denial(capsys: pytest.CaptureFixture[str]) -> None:
    laxer = replace(STRICTER, effect=Effect.ALLOW, reason=Reason.ALLOWED, checks=(PASSED,))

    lines = shown(explained(laxer, DENY), capsys).splitlines()

    assert lines[0].startswith("DENY  MODEL_NOT_GRANTED")
    assert [line for line in lines if line.startswith("ALLOW")] == []


def test_without_a_candidate_nothing_is_said_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "shadow" not in shown(explained(None), capsys)
    assert decision_json(decision(explained(None)))["explanation"]["shadow"] is None


def test_scripts_read_the_candidate_in_the_words_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    say_json(decision_json(decision(explained(STRICTER))))
    told = json.loads(capsys.readouterr().out)

    assert (told["effect"], told["reason"]) == ("ALLOW", "ALLOWED")
    assert told["explanation"]["shadow"] == {
        "effect": "DENY",
        "reason": "TEAM_BUDGET_EXHAUSTED",
        "policy": "digest",
        "checks": [
            {"check": "routes", "outcome": "PASSED", "reason": None, "note": ""},
            {
                "check": "budgets",
                "outcome": "DENIED",
                "reason": "TEAM_BUDGET_EXHAUSTED",
                "note": "The budget is exhausted.",
            },
        ],
    }
    assert decision_json(decision(explained(SILENT)))["explanation"]["shadow"] == {
        "effect": None,
        "reason": None,
        "policy": "digest",
        "checks": [],
    }


def test_scripts_read_every_field_of_the_principal() -> None:
    told = decision_json(decision())["principal"]

    assert set(told) == {each.name for each in fields(Principal)}
    assert (told["kind"], told["scopes"]) == ("USER", ["a", "b"])
