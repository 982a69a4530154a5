"""Says what tells a call with a bug from others: worked out when there is one, so that a good call pays nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import directory_service_pb2, revocation_service_pb2, session_service_pb2
from usherd.calls import Call
from usherd.errors import Fault
from usherd.rpc import names, translate
from usherd.rpc.directory.fields import request_id_of
from usherd.rpc.guard import Context, Marks, method_of
from usherd.rpc.lenient import parse_asked
from usherd.rpc.trace_context import trace_of

_REQUESTS = {
    f"/{names.AUTHORIZATION}/Authorize": api.AuthorizeRequest,
    f"/{names.AUTHORIZATION}/Check": api.CheckRequest,
    f"/{names.AUTHORIZATION}/BatchCheck": api.BatchCheckRequest,
    f"/{names.AUTHORIZATION}/ListModels": api.ListModelsRequest,
}

_MANAGING: Mapping[str, type[Message]] = {
    f"/{each.full_name}/{method.name}": GetMessageClass(method.input_type)
    for file in (directory_service_pb2, revocation_service_pb2, session_service_pb2)
    for each in file.DESCRIPTOR.services_by_name.values()
    for method in each.methods
}
"""The requests of services that manage what is kept."""


def marks_of(method: str) -> Marks:
    """The marks of that method's calls: its name, the gateway's request id, and the id of the trace."""
    if method in _REQUESTS:
        return _marks(method, partial(_asked_with, _REQUESTS[method]))
    if method in _MANAGING:
        return _marks(method, partial(_managed_with, _MANAGING[method]))
    return method_of


def _marks(method: str, request_id: Callable[[Any], str]) -> Marks:
    def marks(received: Any, context: Context, call: Call) -> Mapping[str, str]:
        found = {"method": method}
        trace = call.trace or trace_of(context)
        if trace is not None:
            found["trace_id"] = trace.trace_id
        with contextlib.suppress(Fault, DecodeError):
            found["request_id"] = request_id(received)
        return found

    return marks


def _asked_with(kind: Any, received: Any) -> str:
    return translate.wishes(parse_asked(kind, received)).request_id


def _managed_with(kind: type[Message], received: Any) -> str:
    return request_id_of(getattr(kind.FromString(received), "request_id", ""))
