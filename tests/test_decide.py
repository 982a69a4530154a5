"""One place says ALLOW, and only with proof of every check; a denial carries all that was said with it."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.decide import Made, allow, allows, answer_to, deny
from usherd.domain import (
    CheckOutcome,
    CheckResult,
    Dependency,
    DependencyKind,
    Effect,
    Explanation,
    Limit,
    Limits,
    Principal,
    PrincipalKind,
    Verdict,
)
from usherd.reasons import ANSWERS, Answer, Reason

ALICE = Principal(kind=PrincipalKind.USER, subject="alice")
LIMITS = Limits(team=Limit(rpm=5))
EXPLANATION = Explanation(checks=(CheckResult("a", CheckOutcome.PASSED),))
POLICY, TEAM_A, TEAM_B = (
    Dependency(DependencyKind.POLICY, "p"),
    Dependency(DependencyKind.TEAM, "a"),
    Dependency(DependencyKind.TEAM, "b"),
)


def allowed(passed: tuple[str, ...], required: tuple[str, ...]) -> Verdict:
    return allow(
        [Made(check) for check in passed],
        required,
        reason=Reason.ALLOWED,
        principal=ALICE,
        resolved_model="gpt-4o",
        limits=LIMITS,
        depends_on=[TEAM_B, POLICY, TEAM_A],
        explanation=EXPLANATION,
    )


@pytest.mark.parametrize(
    ("passed", "required"),
    [
        ((), ()),
        (("a",), ()),
        ((), ("a",)),
        (("a",), ("a", "b")),
        (("a", "b"), ("a",)),
        (("b", "a"), ("a", "b")),
        (("a", "a"), ("a", "b")),
    ],
)
def test_nothing_is_allowed_without_every_required_check_in_its_order(
    passed: tuple[str, ...], required: tuple[str, ...]
) -> None:
    with pytest.raises(RuntimeError, match=r"^a check is missing$"):
        allowed(passed, required)


def test_allowing_says_who_with_which_model_and_limits_and_on_what_it_depends_in_order() -> None:
    assert allowed(("a", "b"), ("a", "b")) == Verdict(
        effect=Effect.ALLOW,
        reason=Reason.ALLOWED,
        http_status=None,
        principal=ALICE,
        resolved_model="gpt-4o",
        limits=LIMITS,
        depends_on=(POLICY, TEAM_A, TEAM_B),
        explanation=EXPLANATION,
    )


def test_a_denial_opens_nothing_and_keeps_what_it_was_given() -> None:
    denial = deny(
        Reason.TEAM_BLOCKED,
        http_status=401,
        principal=ALICE,
        depends_on=[TEAM_B, POLICY, TEAM_A],
        explanation=EXPLANATION,
    )

    assert denial == Verdict(
        effect=Effect.DENY,
        reason=Reason.TEAM_BLOCKED,
        http_status=401,
        principal=ALICE,
        resolved_model="",
        limits=None,
        depends_on=(POLICY, TEAM_A, TEAM_B),
        explanation=EXPLANATION,
    )
    assert deny(Reason.TOKEN_MISSING) == Verdict(effect=Effect.DENY, reason=Reason.TOKEN_MISSING)


def test_only_the_effect_lets_a_request_pass() -> None:
    assert allows(allowed(("a",), ("a",)))
    # Whatever the reason says.
    assert not allows(deny(Reason.ALLOWED))


@pytest.mark.parametrize("reason", Reason)
def test_without_another_status_the_end_user_is_told_the_reasons_own_answer(reason: Reason) -> None:
    own = ANSWERS[reason]

    assert answer_to(deny(reason)) == own
    assert answer_to(deny(reason, http_status=own.http_status)) == own


@pytest.mark.parametrize(
    ("reason", "status", "answer"),
    [
        # RFC 9110, section 15.5.2: a 401 carries a challenge.
        (Reason.MODEL_DENIED, 401, Answer(401, "This model is denied.", "Bearer")),
        (Reason.NOT_ENTITLED, 401, Answer(401, "The token gives no access here.", 'Bearer error="insufficient_scope"')),
        (Reason.MODEL_DENIED, 400, Answer(400, "This model is denied.", "")),
        (Reason.MODEL_DENIED, 402, Answer(402, "This model is denied.", "")),
        (Reason.TOKEN_MISSING, 403, Answer(403, "A token is required.", "Bearer")),
    ],
)
def test_another_status_changes_the_status_and_adds_a_challenge_to_a_401(
    reason: Reason, status: int, answer: Any
) -> None:
    assert answer_to(deny(reason, http_status=status)) == answer
