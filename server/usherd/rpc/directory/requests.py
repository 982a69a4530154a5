"""Reads requests: what they are in bytes, and what makes two of them the same."""

from __future__ import annotations

import hashlib
from typing import Any

from usherd.calls import Call
from usherd.rpc.directory.fields import check_known, request_id_of
from usherd.rpc.lenient import parse
from usherd.store import Request


def read(kind: type[Any], data: bytes) -> Any:
    """The request in these bytes. Raises InvalidRequest, and FieldInvalid for fields that are not known here."""
    request = parse(kind, data)
    check_known(request)
    return request


def identified(request: Any, call: Call) -> Request | None:
    """What makes a write safe to repeat; None: its caller does not say. Raises FieldInvalid."""
    request_id = request_id_of(request.request_id)
    if not request_id:
        return None
    return Request(call.caller, request_id, digest(call.method, request.SerializeToString(deterministic=True)))


def digest(method: str, data: bytes) -> bytes:
    """Tells requests from each other: of all that a request asks for, and of which method."""
    return hashlib.blake2b(method.encode() + b"\0" + data, digest_size=32).digest()
