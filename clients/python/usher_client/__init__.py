"""Asks usherd whether the holder of a token may call a route with a model, and fails closed.

    async with AsyncClient("localhost:50051") as usherd:
        decision = await usherd.authorize(token, "/v1/chat/completions", "gpt-4o")

`bool(decision)` is True only for an ALLOW that came complete and with status OK. Everything that is no decision
raises a `UsherFault`, on which a gateway refuses the request too.
"""

from usher_client.aio import AsyncClient
from usher_client.decision import CheckNote, Decision, Model, Principal
from usher_client.events import Changed, Decided, Ended, Event, Expiring, NoLongerAllowed, Unknown
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
from usher_client.keeping import CacheStatistics, DecisionCache
from usher_client.questions import Question
from usher_client.sync import Client
from usher_client.watch_aio import AsyncWatch
from usher_client.watch_sync import Watch

__all__ = [
    "AsyncClient",
    "AsyncWatch",
    "BadAnswer",
    "CacheStatistics",
    "CallerNotAllowed",
    "CallerUnknown",
    "Changed",
    "CheckNote",
    "Client",
    "Closed",
    "Decided",
    "Decision",
    "DecisionCache",
    "Ended",
    "Event",
    "Expiring",
    "InternalFault",
    "InvalidRequest",
    "ListDenied",
    "Model",
    "NoLongerAllowed",
    "OutOfTime",
    "Overloaded",
    "Precondition",
    "Principal",
    "Question",
    "Unavailable",
    "Unknown",
    "UsherFault",
    "Watch",
]
