"""Reads `google.rpc.ErrorInfo` and `RetryInfo` out of trailers without owning the name google.rpc.

The messages are declared in a descriptor pool of our own: a process that also loads googleapis-common-protos has
google.rpc.Status in the default pool, and a second one there would be a conflict. The wire format knows no names,
so ours are as good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

DOMAIN: Final = "usher.v1"
STATUS_DETAILS: Final = "grpc-status-details-bin"
MAX_RETRY_AFTER: Final = 3600.0

_ERROR_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"
_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_FIELD = descriptor_pb2.FieldDescriptorProto


def _message_class(pool: descriptor_pool.DescriptorPool, name: str) -> type[Message]:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"usher_client.{name}"))


def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="usher_client/status.proto", package="usher_client", syntax="proto3")

    def declare(name: str, *fields: tuple[str, int, int, str]) -> None:
        message = file.message_type.add(name=name)
        for field_name, number, kind, of in fields:
            repeated = field_name.endswith("s") and kind == _FIELD.TYPE_MESSAGE
            message.field.add(
                name=field_name,
                number=number,
                type=_FIELD.Type.ValueType(kind),
                label=_FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL,
                type_name=f".usher_client.{of}" if of else None,
            )

    # Texts are bytes here: text that is not UTF-8 must not hide the reason that stands beside it.
    declare("Status", ("code", 1, _FIELD.TYPE_INT32, ""), ("details", 3, _FIELD.TYPE_MESSAGE, "Detail"))
    declare("Detail", ("type_url", 1, _FIELD.TYPE_BYTES, ""), ("value", 2, _FIELD.TYPE_BYTES, ""))
    declare("ErrorInfo", ("reason", 1, _FIELD.TYPE_BYTES, ""), ("domain", 2, _FIELD.TYPE_BYTES, ""))
    declare("RetryInfo", ("retry_delay", 1, _FIELD.TYPE_MESSAGE, "Delay"))
    declare("Delay", ("seconds", 1, _FIELD.TYPE_INT64, ""), ("nanos", 2, _FIELD.TYPE_INT32, ""))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _pool()
_Status: Any = _message_class(_POOL, "Status")
_ErrorInfo: Any = _message_class(_POOL, "ErrorInfo")
_RetryInfo: Any = _message_class(_POOL, "RetryInfo")
_Detail: Any = _message_class(_POOL, "Detail")
_Delay: Any = _message_class(_POOL, "Delay")


def read_details(trailers: Iterable[tuple[str, str | bytes]] | None) -> tuple[str, float | None]:
    """The reason and the seconds to wait that usherd sent with an error; ("", None) where there are none.

    Only words of the form of a FaultReason and delays of 0 to 3600 s are taken. It never raises: a status with
    details that cannot be read is the same status without them.
    """
    reason, retry_after = "", None
    for name, value in trailers or ():
        if name != STATUS_DETAILS or not isinstance(value, bytes):
            continue
        try:
            for detail in _Status.FromString(value).details:
                if detail.type_url == _ERROR_INFO.encode():
                    reason = _reason(_ErrorInfo.FromString(detail.value)) or reason
                elif detail.type_url == _RETRY_INFO.encode():
                    delay = _RetryInfo.FromString(detail.value).retry_delay
                    retry_after = seconds_to_wait(delay.seconds, delay.nanos)
        except DecodeError:
            continue
    return reason, retry_after


def write_details(code: int, reason: str, retry_after: float | None) -> bytes:
    """What a server sends of a reason and of seconds to wait; for servers that stand in for usherd in tests."""
    info = _ErrorInfo(reason=reason.encode(), domain=DOMAIN.encode())
    details = [_Detail(type_url=_ERROR_INFO.encode(), value=info.SerializeToString())]
    if retry_after is not None:
        delay = _Delay(seconds=int(retry_after), nanos=int(retry_after % 1 * 1e9))
        wait = _RetryInfo(retry_delay=delay)
        details.append(_Detail(type_url=_RETRY_INFO.encode(), value=wait.SerializeToString()))
    return bytes(_Status(code=code, details=details).SerializeToString())


def seconds_to_wait(seconds: int, nanos: int) -> float | None:
    """A duration as seconds; None when it is outside of 0 to 3600."""
    total = seconds + nanos / 1e9
    return total if 0 <= total <= MAX_RETRY_AFTER else None


def _reason(info: Any) -> str:
    word = info.reason.decode("ascii", "replace")
    return word if info.domain == DOMAIN.encode() and _REASON.fullmatch(word) else ""
