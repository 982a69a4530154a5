"""Each fault ends a call in one way, and the client reads back the same fault."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from usherd.errors import (
    CODES,
    Code,
    Fault,
    FaultReason,
    FieldInvalid,
    InternalFault,
    InvalidRequest,
    ListFull,
    RequestTooLarge,
    Unavailable,
)
from usherd.rpc import replies
from usherd.rpc.faults import DOMAIN, STATUS, STATUS_DETAILS, status_of


def _kinds(kind: type[Fault] = Fault) -> list[type[Fault]]:
    return [kind, *(deeper for sub in kind.__subclasses__() for deeper in _kinds(sub))]


INVALID = [reason for reason in FaultReason if reason < FaultReason.FIELD_INVALID]
FAULTS: list[Fault] = [
    *(InvalidRequest(reason) for reason in INVALID),
    FieldInvalid("team.limit.tpm", "0 or more"),
    *(kind() for kind in _kinds() if kind.__module__ == "usherd.errors" and kind not in (InvalidRequest, FieldInvalid)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{type(fault).__name__}-{fault.reason.name}")
def test_a_fault_ends_a_call_with_its_code_reason_and_advice(fault: Fault) -> None:
    code, details, trailers = status_of(fault)

    status = Status.FromString(dict(trailers)[STATUS_DETAILS])
    info, retry = ErrorInfo(), RetryInfo()
    assert (code.value[0], details) == (fault.code, fault.message)
    assert (status.code, status.message) == (fault.code, fault.message)
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (fault.reason.name, DOMAIN)
    assert dict(info.metadata) == dict(fault.details)
    assert [each.Unpack(retry) for each in status.details[1:]] == ([True] if fault.retry_after else [])
    assert retry.retry_delay.ToTimedelta().total_seconds() == (fault.retry_after or 0)


def test_every_code_of_a_fault_is_the_grpc_code_of_that_number() -> None:
    assert {code: status.value[0] for code, status in STATUS.items()} == {code: code.value for code in Code}


def test_every_reason_has_the_code_of_its_fault() -> None:
    assert {fault.reason: fault.code for fault in FAULTS} == CODES


def test_every_reason_belongs_to_some_fault() -> None:
    assert {fault.reason for fault in FAULTS} == set(FaultReason)


@pytest.mark.parametrize(
    "fault",
    [each for each in FAULTS if type(each) not in (Fault, Unavailable, ListFull, RequestTooLarge)],
    ids=lambda fault: fault.reason.name,
)
def test_a_client_reads_back_the_fault_that_the_server_raised(fault: Fault) -> None:
    code, _, trailers = status_of(fault)

    read = replies.fault(code, trailers)

    assert (type(read), read.reason, read.message) == (type(fault), fault.reason, fault.message)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, replies.Unreachable),
        (grpc.StatusCode.UNKNOWN, InternalFault),
        (grpc.StatusCode.OK, InternalFault),
    ],
)
@pytest.mark.parametrize(
    "trailers",
    [
        (),
        ((STATUS_DETAILS, b"\xff\xff"),),
        ((STATUS_DETAILS, Status(code=14).SerializeToString()),),
        (("other", "text"),),
    ],
)
def test_an_error_without_our_details_is_read_by_its_code(
    code: grpc.StatusCode, kind: type[Fault], trailers: tuple[tuple[str, str | bytes], ...]
) -> None:
    assert type(replies.fault(code, trailers)) is kind
