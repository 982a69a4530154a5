"""Reads answers and errors of another usherd: what is unknown in them is never an allowance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from usher.v1 import decision_pb2, principal_pb2
from usherd import errors
from usherd.domain import (
    CheckOutcome,
    CheckResult,
    Decision,
    Dependency,
    DependencyKind,
    Effect,
    Explanation,
    Limit,
    Limits,
    Principal,
    PrincipalKind,
    ShadowVerdict,
    Verdict,
)
from usherd.errors import Fault, FaultReason
from usherd.reasons import ANSWERS, Reason
from usherd.rpc.faults import DOMAIN, STATUS_DETAILS


class Unreachable(errors.Unavailable):
    """The server cannot be reached, or has ended the call without a word of its own."""

    message = "the server cannot be reached"


def decision(message: decision_pb2.Decision) -> Decision:
    """The decision in a message. Raises InternalFault when this version cannot read it."""
    try:
        return _decision(message)
    except ValueError:
        # An effect, reason or kind that this version does not know.
        pass
    raise errors.InternalFault


def _decision(message: decision_pb2.Decision) -> Decision:
    return Decision(
        verdict=Verdict(
            effect=Effect(message.effect),
            reason=Reason(message.reason),
            http_status=_http_status(message),
            principal=_principal(message.principal) if message.HasField("principal") else None,
            resolved_model=message.resolved_model,
            limits=_limits(message.limits) if message.HasField("limits") else None,
            depends_on=tuple(
                Dependency(DependencyKind(each.kind), each.id, each.revision, each.absent)
                for each in message.depends_on
            ),
            explanation=_explanation(message.explanation) if message.HasField("explanation") else None,
        ),
        decision_id=message.decision_id,
        revision=message.revision,
        valid_until=message.valid_until.seconds + message.valid_until.nanos / 1e9,
        cacheable=message.cacheable,
    )


def _http_status(message: decision_pb2.Decision) -> int | None:
    """The status of a denial where it is not the one that goes with its reason; None also for what no denial has."""
    status = message.http_status
    denied = message.effect == decision_pb2.EFFECT_DENY and 400 <= status <= 499
    return status if denied and status != ANSWERS[Reason(message.reason)].http_status else None


def _principal(message: principal_pb2.Principal) -> Principal:
    return Principal(
        kind=PrincipalKind(message.kind),
        issuer=message.issuer,
        subject=message.subject,
        client=message.client,
        directory_role=message.directory_role,
        is_admin=message.is_admin,
        user_id=message.user_id,
        email=message.email,
        team_id=message.team_id,
        team_alias=message.team_alias,
        organization_id=message.organization_id,
        end_user_id=message.end_user_id,
        scopes=tuple(message.scopes),
        roles=tuple(message.roles),
        claims=tuple((claim.name, claim.value_json) for claim in message.claims),
    )


def _limits(message: decision_pb2.Limits) -> Limits:
    return Limits(
        team=_limit(message.team) if message.HasField("team") else None,
        user=_limit(message.user) if message.HasField("user") else None,
        member=_limit(message.member) if message.HasField("member") else None,
    )


def _limit(message: decision_pb2.Limit) -> Limit:
    return Limit(
        tpm=message.tpm if message.HasField("tpm") else None,
        rpm=message.rpm if message.HasField("rpm") else None,
        max_budget_micro_usd=message.max_budget_micro_usd if message.HasField("max_budget_micro_usd") else None,
        budget_reset_seconds=message.budget_reset.seconds if message.HasField("budget_reset") else None,
        models=tuple(message.models),
    )


def _explanation(message: decision_pb2.Explanation) -> Explanation:
    return Explanation(
        checks=_checks(message.checks),
        roles_held=tuple(message.roles_held),
        team_candidates=tuple(message.team_candidates),
        shadow=_shadow(message.shadow) if message.HasField("shadow") else None,
    )


def _checks(messages: Iterable[decision_pb2.CheckResult]) -> tuple[CheckResult, ...]:
    return tuple(
        CheckResult(each.check, CheckOutcome(each.outcome), Reason(each.reason) if each.reason else None, each.note)
        for each in messages
    )


def _shadow(message: decision_pb2.ShadowVerdict) -> ShadowVerdict:
    return ShadowVerdict(
        effect=Effect(message.effect) if message.effect else None,
        reason=Reason(message.reason) if message.reason else None,
        policy=message.policy,
        checks=_checks(message.checks),
    )


def _kinds() -> list[type[Fault]]:
    found: list[type[Fault]] = [Fault]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


# A reason belongs to the class that names it; InvalidRequest takes its many as an argument.
# What several have in common is read as what all of them are.
_BY_REASON = {kind.reason: kind for kind in reversed([*_kinds()]) if "reason" in vars(kind) and kind is not Fault}

_BY_STATUS: dict[grpc.StatusCode, type[Fault]] = {
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Overloaded,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.OutOfTime,
}


def fault(code: grpc.StatusCode, trailers: Sequence[tuple[str, str | bytes]]) -> Fault:
    """The fault that a call ended with; without usherd's own details, the nearest by its code."""
    for name, value in trailers:
        if name == STATUS_DETAILS and isinstance(value, bytes):
            info = _info(value)
            reason = None if info is None else FaultReason.__members__.get(info.reason)
            if info is not None and reason is not None:
                return _fault(reason, info.metadata)
    return _BY_STATUS.get(code, errors.InternalFault)()


def _info(details: bytes) -> ErrorInfo | None:
    info = ErrorInfo()
    try:
        for detail in Status.FromString(details).details:
            if detail.Is(ErrorInfo.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
                return info
    except DecodeError:
        return None
    return None


def _fault(reason: FaultReason, told: Mapping[str, str]) -> Fault:
    if reason is FaultReason.FIELD_INVALID:
        return errors.FieldInvalid(told.get("field", ""), told.get("expected", ""))
    kind = _BY_REASON.get(reason)
    if kind is not None:
        return kind()
    return errors.InternalFault() if reason is FaultReason.INTERNAL else errors.InvalidRequest(reason)
