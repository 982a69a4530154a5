"""Says what tells a call with a bug from others: worked out when there is one, so that a good call pays nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from usher.v1 import authorization_service_pb2 as api
from usherd.calls import Call
from usherd.errors import Fault
from usherd.rpc import service, translate
from usherd.rpc.guard import Context, Marks, method_of
from usherd.rpc.lenient import parse_asked
from usherd.rpc.trace_context import trace_of

_REQUESTS = {
    f"/{service.NAME}/Authorize": api.AuthorizeRequest,
    f"/{service.NAME}/Check": api.CheckRequest,
    f"/{service.NAME}/BatchCheck": api.BatchCheckRequest,
    f"/{service.NAME}/ListModels": api.ListModelsRequest,
}


def marks_of(method: str) -> Marks:
    """The marks of that method's calls: its name, the gateway's request id, and the id of the trace."""
    kind = _REQUESTS.get(method)
    if kind is None:
        return method_of

    def marks(received: Any, context: Context, call: Call) -> Mapping[str, str]:
        found = {"method": method}
        trace = call.trace or trace_of(context)
        if trace is not None:
            found["trace_id"] = trace.trace_id
        with contextlib.suppress(Fault):
            found["request_id"] = translate.wishes(parse_asked(kind, received)).request_id
        return found

    return marks
