"""Follows one decision at a server that runs elsewhere, for the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NamedTuple

import grpc

from usher.v1 import authorization_service_pb2 as api
from usherd.domain import Decision, Question
from usherd.errors import Fault, InternalFault, OutOfTime
from usherd.rpc import names, replies
from usherd.rpc.dial import Connection, question_message
from usherd.watch.events import Cause

_LAST = ("ended", "resync")


class Told(NamedTuple):
    """One event of a stream."""

    kind: str
    """Its name in the contract: decision, checkpoint, changed, expiring, ended or resync."""
    decision: Decision | None = None
    """The decision from now on, where it says one."""
    cause: str = ""
    """Why, as the contract calls it; empty for a cause that this version does not know, and where there is none."""
    ends_at: float | None = None
    """When an expiring decision ends, in seconds since the epoch."""
    revision: str = ""
    """Up to which revision a checkpoint confirms it."""


async def watched(
    connection: Connection, question: Question, *, explain: bool = False, timeout: float = 5.0
) -> AsyncGenerator[Told]:
    """What becomes of a question's decision: the decision within `timeout` seconds, then each event as it comes.

    It ends after `ended`, `resync`, and the decision of a server that does not watch. Raises the Fault that the stream
    ended with, OutOfTime when the server was silent for longer than it said it would be, and InternalFault for an event
    that this version does not know.
    """
    method = connection.channel.unary_stream(
        f"/{names.AUTHORIZATION}/Authorize",
        request_serializer=api.AuthorizeRequest.SerializeToString,
        response_deserializer=api.AuthorizeResponse.FromString,
    )
    options = api.Options(explain=explain)
    request = api.AuthorizeRequest(question=question_message(question), options=options, mode=api.MODE_WATCH)
    call = method(request, metadata=connection.metadata)
    try:
        async with aclosing(_events(call, timeout)) as events:
            async for told in events:
                yield told
    finally:
        call.cancel()


async def _events(call: Any, timeout: float) -> AsyncGenerator[Told]:
    first = await _message(call, timeout)
    if first.WhichOneof("event") != "decision":
        raise InternalFault
    yield Told("decision", replies.decision(first.decision))
    if first.terms.mode != api.MODE_WATCH:
        return
    silence = first.terms.max_silence.ToNanoseconds() / 1e9
    if silence <= 0:
        raise InternalFault
    told = Told("")
    while told.kind not in _LAST:
        told = _told(await _message(call, silence))
        yield told


async def _message(call: Any, seconds: float) -> api.AuthorizeResponse:
    ended: Fault
    try:
        async with asyncio.timeout(seconds):
            message = await call.read()
        if isinstance(message, api.AuthorizeResponse):
            return message
        # The stream has ended without a word on whether the decision stands.
        ended = replies.Unreachable()
    except TimeoutError:
        ended = OutOfTime()
    except grpc.aio.AioRpcError as error:
        ended = replies.fault(error.code(), tuple(error.trailing_metadata() or ()))
    # Outside of the handler: the library's error has the peer's text in it.
    raise ended


def _told(message: api.AuthorizeResponse) -> Told:
    match message.WhichOneof("event"):
        case "checkpoint":
            return Told("checkpoint", revision=message.checkpoint.revision)
        case "changed":
            return Told("changed", replies.decision(message.changed.decision), _cause(message.changed.cause))
        case "expiring":
            at = message.expiring.ends_at
            return Told("expiring", cause=_cause(message.expiring.cause), ends_at=at.seconds + at.nanos / 1e9)
        case "ended":
            return Told("ended", replies.decision(message.ended.decision), _cause(message.ended.cause))
        case "resync":
            return Told("resync", cause=_cause(message.resync.cause))
        case _:
            # Newer than this version, or a second decision: what holds now is not known here.
            raise InternalFault


def _cause(number: int) -> str:
    try:
        return Cause(number).name
    except ValueError:
        return ""
