"""Turns messages into decisions. What is not a decision by the contract becomes BadAnswer, never an allowance."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, event_pb2, fault_pb2, principal_pb2, reason_pb2
from usher_client.decision import CheckNote, Decision, Model, Principal
from usher_client.faults import BadAnswer, ListDenied, UsherFault, code_number, fault_class
from usher_client.status_details import read_details, seconds_to_wait

MAX_SILENCE: Final = 3600.0

_M = TypeVar("_M", bound=Message)


class _Failed(Protocol):
    """What the errors of both grpc and grpc.aio can be asked."""

    def code(self) -> Any: ...
    def trailing_metadata(self) -> Any: ...


def fault_of(error: _Failed) -> UsherFault:
    """The fault that a failed call ended with. The server's text is left behind: it may echo anything."""
    trailers = cast("Iterable[tuple[str, str | bytes]] | None", error.trailing_metadata())
    reason, retry_after = read_details(trailers)
    return fault_class(code_number(error.code()))(reason, retry_after)


def parse(kind: type[_M], body: object) -> _M:
    """The message that these bytes are. Raises BadAnswer."""
    try:
        if isinstance(body, bytes):
            return kind.FromString(body)
    except (DecodeError, ValueError):
        pass  # raised below, without the parser's words
    raise BadAnswer


def streamed_decision(body: object) -> Decision:
    """The decision in the first message of a stream. Raises BadAnswer."""
    message = parse(api.AuthorizeResponse, body)
    if message.WhichOneof("event") != "decision" or message.terms.mode not in (api.MODE_UNSPECIFIED, api.MODE_ONCE):
        raise BadAnswer
    return decision_of(message.decision)


def promised_silence(terms: api.StreamTerms) -> float:
    """Seconds that a living stream may be silent, at most an hour. Raises BadAnswer unless it says so."""
    silence = terms.max_silence.seconds + terms.max_silence.nanos / 1e9
    if terms.mode != api.MODE_WATCH or silence <= 0:
        raise BadAnswer
    return min(silence, MAX_SILENCE)


def cause_of(number: int) -> str:
    """The word for a Cause."""
    return _word(event_pb2.Cause, number, "CAUSE_") if number else "UNKNOWN"


def decision_of(wire: decision_pb2.Decision) -> Decision:
    """The view of one message. Raises BadAnswer unless effect, reason and principal go together by the contract."""
    if wire.effect not in (decision_pb2.EFFECT_ALLOW, decision_pb2.EFFECT_DENY):
        raise BadAnswer
    allowed = wire.effect == decision_pb2.EFFECT_ALLOW
    # reason.proto: numbers 1 to 9 go with ALLOW, all others with DENY; 0 is never sent.
    if wire.reason == 0 or (1 <= wire.reason <= 9) is not allowed:
        raise BadAnswer
    # What another allowance may ask of a gateway, one that is too old for it cannot know.
    if allowed and wire.reason not in (reason_pb2.REASON_ALLOWED, reason_pb2.REASON_PUBLIC_ROUTE):
        raise BadAnswer
    # principal.proto: the unspecified kind is never sent with ALLOW.
    if allowed and wire.principal.kind == principal_pb2.PRINCIPAL_KIND_UNSPECIFIED:
        raise BadAnswer
    valid_until = _instant(wire)
    return Decision(
        allowed=allowed,
        reason=_word(reason_pb2.Reason, wire.reason, "REASON_"),
        message=wire.message,
        http_status=_http_status(wire.http_status, allowed=allowed),
        www_authenticate=wire.www_authenticate,
        principal=_principal(wire.principal) if wire.HasField("principal") else None,
        resolved_model=wire.resolved_model if allowed else "",
        valid_until=valid_until,
        cacheable=wire.cacheable and valid_until is not None and _all_kinds_known(wire),
        decision_id=wire.decision_id,
        revision=wire.revision,
        explanation=tuple(_note(each) for each in wire.explanation.checks),
        wire=wire,
    )


def batch_results(body: object, ids: list[str]) -> list[Decision | UsherFault]:
    """The results of a batch, in the order of its items. Raises BadAnswer unless there is one for each id."""
    message = parse(api.BatchCheckResponse, body)
    if [each.id for each in message.results] != ids:
        raise BadAnswer
    return [_batch_result(each) for each in message.results]


def _batch_result(result: api.BatchCheckResponse.Result) -> Decision | UsherFault:
    match result.WhichOneof("result"):
        case "decision":
            try:
                return decision_of(result.decision)
            except BadAnswer as bad:
                return bad
        case "fault":
            return fault_from(result.fault)
        case _:
            return BadAnswer()


def fault_from(wire: fault_pb2.Fault) -> UsherFault:
    """The fault that stands in place of a decision."""
    wait = seconds_to_wait(wire.retry_after.seconds, wire.retry_after.nanos)
    reason = _word(fault_pb2.FaultReason, wire.reason, "FAULT_REASON_")
    return fault_class(int(wire.code))(reason, wait if wire.HasField("retry_after") else None)


def models_page(body: object) -> tuple[list[Model], str]:
    """One page of models and the next page's token. Raises ListDenied, or BadAnswer."""
    message = parse(api.ListModelsResponse, body)
    if message.HasField("denial"):
        denial = decision_of(message.denial)
        if denial.allowed or message.models:
            raise BadAnswer
        raise ListDenied(denial)
    return [Model(name=each.name, resolved_model=each.resolved_model) for each in message.models], (
        message.next_page_token
    )


def _word(enum: Any, number: int, prefix: str) -> str:
    return str(enum.Name(number)).removeprefix(prefix) if number in enum.values() else "UNKNOWN"


def _http_status(status: int, *, allowed: bool) -> int:
    if allowed:
        return 200
    # A gateway that passes this on must never tell the end user "200" about a denial.
    return status if 400 <= status <= 499 else 403


def _instant(wire: decision_pb2.Decision) -> datetime | None:
    if not wire.HasField("valid_until"):
        return None
    try:
        return wire.valid_until.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _all_kinds_known(wire: decision_pb2.Decision) -> bool:
    known = set(decision_pb2.DependencyKind.values()) - {decision_pb2.DEPENDENCY_KIND_UNSPECIFIED}
    return all(each.kind in known for each in wire.depends_on)


def _note(wire: decision_pb2.CheckResult) -> CheckNote:
    return CheckNote(
        check=wire.check,
        outcome=_word(decision_pb2.CheckOutcome, wire.outcome, "CHECK_OUTCOME_"),
        reason=_word(reason_pb2.Reason, wire.reason, "REASON_") if wire.reason else "",
        note=wire.note,
    )


def _principal(wire: principal_pb2.Principal) -> Principal:
    return Principal(
        kind=_word(principal_pb2.PrincipalKind, wire.kind, "PRINCIPAL_KIND_"),
        issuer=wire.issuer,
        subject=wire.subject,
        client=wire.client,
        directory_role=wire.directory_role,
        is_admin=wire.is_admin,
        user_id=wire.user_id,
        email=wire.email,
        team_id=wire.team_id,
        team_alias=wire.team_alias,
        organization_id=wire.organization_id,
        end_user_id=wire.end_user_id,
        scopes=tuple(wire.scopes),
        roles=tuple(wire.roles),
        claims=tuple((each.name, each.value_json) for each in wire.claims),
    )
