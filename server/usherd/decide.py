"""Turns what the checks found into a verdict: deny overrides, and one place says ALLOW."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from usherd.domain import Dependency, Effect, Explanation, Limits, Principal, Verdict
from usherd.reasons import ANSWERS, Answer, Reason


@dataclass(frozen=True, slots=True)
class Made:
    """One check that was made and had nothing against the request. Allowing takes proof that all were made."""

    check: str


def allow(
    passed: Sequence[Made],
    required: Sequence[str],
    *,
    reason: Reason,
    principal: Principal,
    resolved_model: str,
    limits: Limits | None,
    depends_on: Iterable[Dependency],
    explanation: Explanation | None,
) -> Verdict:
    """The only place that says ALLOW.

    Raises RuntimeError unless every required check, in order, is among the passed ones: a check that was lost on
    the way must become a fault, not a grant.
    """
    if not required or [step.check for step in passed] != list(required):
        raise RuntimeError("a check is missing")
    return Verdict(
        effect=Effect.ALLOW,
        reason=reason,
        principal=principal,
        resolved_model=resolved_model,
        limits=limits,
        depends_on=tuple(sorted(depends_on)),
        explanation=explanation,
    )


def allows(verdict: Verdict) -> bool:
    """Whether a verdict lets the request pass."""
    return verdict.effect is Effect.ALLOW


def answer_to(verdict: Verdict) -> Answer:
    """What a gateway tells the end user: the reason's answer, with the status that is in force."""
    answer = ANSWERS[verdict.reason]
    status = verdict.http_status
    if status is None or status == answer.http_status:
        return answer
    challenge = answer.www_authenticate
    if status == 401 and not challenge:
        # RFC 9110, section 15.5.2: a 401 carries a challenge.
        challenge = "Bearer"
    return Answer(status, answer.message, challenge)


def deny(
    reason: Reason,
    *,
    http_status: int | None = None,
    principal: Principal | None = None,
    depends_on: Iterable[Dependency] = (),
    explanation: Explanation | None = None,
) -> Verdict:
    """A denial for the first reason that was found. `http_status` None: the one that goes with the reason."""
    return Verdict(
        effect=Effect.DENY,
        reason=reason,
        http_status=http_status,
        principal=principal,
        depends_on=tuple(sorted(depends_on)),
        explanation=explanation,
    )
