"""Turns decisions and faults into the contract's messages."""

from __future__ import annotations

import functools
from typing import cast

from usher.v1 import decision_pb2, fault_pb2, principal_pb2, reason_pb2
from usherd.decide import answer_to
from usherd.domain import (
    MAX_DEPENDENCIES,
    CheckResult,
    Decision,
    Explanation,
    Limit,
    Limits,
    Principal,
    ShadowVerdict,
    Verdict,
)
from usherd.errors import Code, Fault, FaultReason
from usherd.rpc.faults import duration


def decision_message(decision: Decision) -> decision_pb2.Decision:
    """The contract's Decision."""
    message = verdict_message(decision.verdict)
    message.decision_id = decision.decision_id
    message.revision = decision.revision
    message.valid_until.seconds, message.valid_until.nanos = whole_and_nanos(decision.valid_until)
    message.cacheable = decision.cacheable
    return message


def verdict_message(verdict: Verdict) -> decision_pb2.Decision:
    """The contract's Decision with the verdict alone. Numbers of enums are the domain's (a test compares them all)."""
    answer = answer_to(verdict)
    message = decision_pb2.Decision(
        effect=cast(decision_pb2.Effect, verdict.effect),
        reason=cast(reason_pb2.Reason, verdict.reason),
        message=answer.message,
        http_status=answer.http_status,
        www_authenticate=answer.www_authenticate,
        principal=None if verdict.principal is None else _principal(verdict.principal),
        resolved_model=verdict.resolved_model,
        explanation=None if verdict.explanation is None else _explanation(verdict.explanation),
    )
    # There are several of these in each answer: one that is made apart and copied costs twice as much.
    if verdict.limits is not None:
        _fill_limits(message.limits, verdict.limits)
    add = message.depends_on.add
    for each in verdict.depends_on[:MAX_DEPENDENCIES]:
        kind = cast(decision_pb2.DependencyKind, each.kind)
        if each.absent:
            add(kind=kind, id=each.id, revision=each.revision, absent=True)
        else:
            add(kind=kind, id=each.id, revision=each.revision)
    return message


def _principal(principal: Principal) -> principal_pb2.Principal:
    return principal_pb2.Principal(
        kind=cast(principal_pb2.PrincipalKind, principal.kind),
        issuer=principal.issuer,
        subject=principal.subject,
        client=principal.client,
        directory_role=principal.directory_role,
        is_admin=principal.is_admin,
        user_id=principal.user_id,
        email=principal.email,
        team_id=principal.team_id,
        team_alias=principal.team_alias,
        organization_id=principal.organization_id,
        end_user_id=principal.end_user_id,
        scopes=principal.scopes,
        roles=principal.roles,
        claims=[principal_pb2.Claim(name=name, value_json=value) for name, value in principal.claims],
    )


def _fill_limits(message: decision_pb2.Limits, limits: Limits) -> None:
    message.SetInParent()
    for filled, limit in ((message.team, limits.team), (message.user, limits.user), (message.member, limits.member)):
        if limit is not None:
            _fill_limit(filled, limit)


def _fill_limit(message: decision_pb2.Limit, limit: Limit) -> None:
    message.SetInParent()
    if limit.tpm is not None:
        message.tpm = limit.tpm
    if limit.rpm is not None:
        message.rpm = limit.rpm
    if limit.max_budget_micro_usd is not None:
        message.max_budget_micro_usd = limit.max_budget_micro_usd
    if limit.budget_reset_seconds is not None:
        message.budget_reset.SetInParent()
        message.budget_reset.seconds = limit.budget_reset_seconds
    if limit.models:
        message.models.extend(limit.models)


def _explanation(explanation: Explanation) -> decision_pb2.Explanation:
    return decision_pb2.Explanation(
        checks=map(_check, explanation.checks),
        roles_held=explanation.roles_held,
        team_candidates=explanation.team_candidates,
        shadow=None if explanation.shadow is None else _shadow(explanation.shadow),
    )


def _check(result: CheckResult) -> decision_pb2.CheckResult:
    return decision_pb2.CheckResult(
        check=result.check,
        outcome=cast(decision_pb2.CheckOutcome, result.outcome),
        reason=None if result.reason is None else cast(reason_pb2.Reason, result.reason),
        note=result.note,
    )


def _shadow(shadow: ShadowVerdict) -> decision_pb2.ShadowVerdict:
    return decision_pb2.ShadowVerdict(
        effect=None if shadow.effect is None else cast(decision_pb2.Effect, shadow.effect),
        reason=None if shadow.reason is None else cast(reason_pb2.Reason, shadow.reason),
        policy=shadow.policy,
        checks=map(_check, shadow.checks),
    )


def whole_and_nanos(seconds: float) -> tuple[int, int]:
    """Seconds since the epoch as a Timestamp has them, cut to whole microseconds.

    Towards the past, and the whole seconds first, whose product would be rounded up: an answer is never kept longer
    than it holds. Exact from 2001 on: what a float has beyond the second is coarse enough then.
    """
    whole = int(seconds)
    return whole, int((seconds - whole) * 1_000_000) * 1000


def fault_message(fault: Fault) -> fault_pb2.Fault:
    """The contract's Fault, for one item of a batch."""
    return _fault(fault.code, fault.reason, fault.message, fault.retry_after)


@functools.lru_cache(maxsize=64)
def _fault(code: Code, reason: FaultReason, message: str, retry_after: float | None) -> fault_pb2.Fault:
    return fault_pb2.Fault(
        code=cast(fault_pb2.Code, code),
        reason=cast(fault_pb2.FaultReason, reason),
        message=message,
        retry_after=None if retry_after is None else duration(retry_after),
    )
