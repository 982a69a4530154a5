"""Asks usherd whether the holder of a token may call a route with a model, and fails closed.

    async with AsyncClient("localhost:50051") as usherd:
        decision = await usherd.authorize(token, "/v1/chat/completions", "gpt-4o")

`bool(decision)` is True only for an ALLOW that came complete and with status OK. Everything that is no decision
raises a `UsherFault`, on which a gateway refuses the request too.
"""

from usher_client.aio import AsyncClient
from usher_client.decision import CheckNote, Decision, Model, Principal
from usher_client.faults import (
    BadAnswer,
    CallerNotAllowed,
    CallerUnknown,
    Closed,
    InternalFault,
    InvalidRequest,
    ListDenied,
    OutOfTime,
    Overloaded,
    Precondition,
    Unavailable,
    UsherFault,
)
from usher_client.questions import Question
from usher_client.sync import Client

__all__ = [
    "AsyncClient",
    "BadAnswer",
    "CallerNotAllowed",
    "CallerUnknown",
    "CheckNote",
    "Client",
    "Closed",
    "Decision",
    "InternalFault",
    "InvalidRequest",
    "ListDenied",
    "Model",
    "OutOfTime",
    "Overloaded",
    "Precondition",
    "Principal",
    "Question",
    "Unavailable",
    "UsherFault",
]
