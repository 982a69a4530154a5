"""Turns decisions into bytes: the same decision always gives the same bytes."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, fault_pb2, principal_pb2, reason_pb2
from usherd.decide import answer_to
from usherd.domain import (
    MAX_DEPENDENCIES,
    CheckResult,
    Decision,
    Dependency,
    Explanation,
    Limit,
    Limits,
    Principal,
    ShadowVerdict,
    Verdict,
)
from usherd.errors import Code, Fault, FaultReason, Overloaded
from usherd.rpc.faults import duration

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of the longest answer: what gRPC clients take unless they are told otherwise."""

_DECISION = b"\x0a"
"""The tag of field 1, a message: `decision` in both CheckResponse and AuthorizeResponse."""

_TERMS_ONCE = api.AuthorizeResponse(terms=api.StreamTerms(mode=api.MODE_ONCE)).SerializeToString(deterministic=True)


def check_response(decision: Decision, *, again: bool = False) -> bytes:
    """A CheckResponse with that decision. `again`: its verdict was answered before, so its bytes are worth keeping."""
    return _field(_DECISION, _bytes(decision, again=again))


def authorize_response(decision: Decision, *, again: bool = False) -> bytes:
    """An AuthorizeResponse with that decision, first and last of its stream; `again` as in `check_response`."""
    # Messages that are written one after the other are one message (the wire format's law of concatenation).
    return _field(_DECISION, _bytes(decision, again=again)) + _TERMS_ONCE


def batch_response(ids: Sequence[str], results: Sequence[Decision | Fault]) -> bytes:
    """A BatchCheckResponse with the result of each id, in that order.

    Claims that are passed on can make an answer longer than a client takes. The decisions that no longer fit are
    replaced by a fault of their own, so that a long one costs nobody but its batch's last items an answer.
    """
    response = api.BatchCheckResponse()
    room = MAX_ANSWER - len(ids) * _ROOM_FOR_FAULT
    for each, result in zip(ids, results, strict=True):
        if isinstance(result, Fault):
            response.results.add(id=each, fault=fault_message(result))
            continue
        message = decision_message(result)
        size = message.ByteSize()
        if size <= room:
            room -= size
            response.results.add(id=each, decision=message)
        else:
            room = 0
            response.results.add(id=each, fault=fault_message(Overloaded()))
    return response.SerializeToString(deterministic=True)


_ROOM_FOR_FAULT = 512
"""Bytes that a result surely takes without its decision: the longest id, frames and a fault."""


def models_response(
    models: Sequence[tuple[str, str]], next_page_token: str, denial: Decision | None, revision: str
) -> bytes:
    """A ListModelsResponse with these (name, resolved model) pairs."""
    response = api.ListModelsResponse(
        models=[api.ListModelsResponse.Model(name=name, resolved_model=resolved) for name, resolved in models],
        next_page_token=next_page_token,
        denial=None if denial is None else decision_message(denial),
        revision=revision,
    )
    return response.SerializeToString(deterministic=True)


_REMEMBERED = 32_768
"""Verdicts whose bytes are kept, about 1 KB each: as many as the authorizer keeps verdicts unless told otherwise."""

_LONGEST_REMEMBERED = 4096
"""Bytes of the longest verdict that is kept: what an end user or a token can make longer must not fill the memory."""

_answer = decision_pb2.Decision()
# Filled and read within one call, never across an await: making a message anew costs three times as much.

_verdicts: OrderedDict[int, tuple[Verdict, bytes]] = OrderedDict()


def _bytes(decision: Decision, *, again: bool) -> bytes:
    """The bytes of the Decision: those of the verdict, which stay, and after them those of this answer."""
    answer = _answer
    answer.decision_id = decision.decision_id
    answer.revision = decision.revision
    micros = int(decision.valid_until * 1_000_000)
    answer.valid_until.seconds = micros // 1_000_000
    answer.valid_until.nanos = micros % 1_000_000 * 1000
    answer.cacheable = decision.cacheable
    verdict = _verdict_bytes(decision.verdict) if again else _serialised(decision.verdict)
    return verdict + answer.SerializeToString(deterministic=True)


def _serialised(verdict: Verdict) -> bytes:
    return verdict_message(verdict).SerializeToString(deterministic=True)


def _verdict_bytes(verdict: Verdict) -> bytes:
    # By identity, which costs nothing to compare; the entry holds the verdict, so that no other can get its identity.
    known = _verdicts.get(id(verdict))
    if known is not None and known[0] is verdict:
        return known[1]
    data = _serialised(verdict)
    # The bytes leave out dependencies beyond the most that are sent, but the entry would hold them all.
    if len(data) <= _LONGEST_REMEMBERED and len(verdict.depends_on) <= MAX_DEPENDENCIES:
        _verdicts[id(verdict)] = (verdict, data)
        if len(_verdicts) > _REMEMBERED:
            _verdicts.popitem(last=False)
    return data


def _field(tag: bytes, body: bytes) -> bytes:
    """One field with its length in front. Putting a message into another would copy it, which costs more."""
    size = len(body)
    frame = bytearray(tag)
    while size > 0x7F:
        frame.append(size & 0x7F | 0x80)
        size >>= 7
    frame.append(size)
    return bytes(frame) + body


def decision_message(decision: Decision) -> decision_pb2.Decision:
    """The contract's Decision."""
    message = verdict_message(decision.verdict)
    message.decision_id = decision.decision_id
    message.revision = decision.revision
    message.valid_until.CopyFrom(_timestamp(decision.valid_until))
    message.cacheable = decision.cacheable
    return message


def verdict_message(verdict: Verdict) -> decision_pb2.Decision:
    """The contract's Decision with the verdict alone. Numbers of enums are the domain's (a test compares them all)."""
    answer = answer_to(verdict)
    return decision_pb2.Decision(
        effect=cast(decision_pb2.Effect, verdict.effect),
        reason=cast(reason_pb2.Reason, verdict.reason),
        message=answer.message,
        http_status=answer.http_status,
        www_authenticate=answer.www_authenticate,
        principal=None if verdict.principal is None else _principal(verdict.principal),
        resolved_model=verdict.resolved_model,
        limits=None if verdict.limits is None else _limits(verdict.limits),
        depends_on=[_dependency(each) for each in verdict.depends_on[:MAX_DEPENDENCIES]],
        explanation=None if verdict.explanation is None else _explanation(verdict.explanation),
    )


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


def _dependency(dependency: Dependency) -> decision_pb2.Dependency:
    # There are several in each answer, and each field that is set costs as much as the rest of it.
    kind = cast(decision_pb2.DependencyKind, dependency.kind)
    if dependency.absent:
        return decision_pb2.Dependency(kind=kind, id=dependency.id, revision=dependency.revision, absent=True)
    return decision_pb2.Dependency(kind=kind, id=dependency.id, revision=dependency.revision)


def _limits(limits: Limits) -> decision_pb2.Limits:
    return decision_pb2.Limits(team=_limit(limits.team), user=_limit(limits.user), member=_limit(limits.member))


def _limit(limit: Limit | None) -> decision_pb2.Limit | None:
    if limit is None:
        return None
    return decision_pb2.Limit(
        tpm=limit.tpm,
        rpm=limit.rpm,
        max_budget_micro_usd=limit.max_budget_micro_usd,
        budget_reset=None if limit.budget_reset_seconds is None else duration(limit.budget_reset_seconds),
        models=limit.models,
    )


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


def _timestamp(seconds: float) -> Timestamp:
    whole = int(seconds)
    # Cut to whole microseconds, towards the past: an answer is never kept longer than it holds.
    return Timestamp(seconds=whole, nanos=int((seconds - whole) * 1_000_000) * 1000)


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
