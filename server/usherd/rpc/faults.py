"""Maps each fault to the one gRPC status that it ends a call with."""

from __future__ import annotations

import functools

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from usherd.errors import Code, Fault, FaultReason

DOMAIN = "usher.v1"
"""`google.rpc.ErrorInfo.domain` of every error."""

STATUS_DETAILS = "grpc-status-details-bin"

STATUS: dict[Code, grpc.StatusCode] = {
    Code.INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT,
    Code.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    Code.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Code.RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Code.FAILED_PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Code.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Code.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Code.ABORTED: grpc.StatusCode.ABORTED,
    Code.OUT_OF_RANGE: grpc.StatusCode.OUT_OF_RANGE,
    Code.INTERNAL: grpc.StatusCode.INTERNAL,
    Code.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Code.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
}

Status = tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]
"""Code, details and trailers: what `context.abort` takes."""


def status_of(fault: Fault) -> Status:
    """How a call ends that this fault came of. All of it is constant text."""
    return _status(fault.code, fault.reason, fault.message, fault.retry_after, fault.details)


@functools.lru_cache(maxsize=64)
def _status(
    code: Code, reason: FaultReason, message: str, retry_after: float | None, told: tuple[tuple[str, str], ...]
) -> Status:
    details: list[Message] = [ErrorInfo(reason=reason.name, domain=DOMAIN, metadata=dict(told))]
    if retry_after is not None:
        details.append(RetryInfo(retry_delay=duration(retry_after)))
    status = status_pb2.Status(code=int(code), message=message)
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return STATUS[code], message, ((STATUS_DETAILS, status.SerializeToString(deterministic=True)),)


def duration(seconds: float) -> Duration:
    """Seconds, 0 or more, as the well-known type."""
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))
