"""Measures on a server that runs elsewhere how long news of a change take to who watches, with a team of its own."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import grpc

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import change_pb2, question_pb2
from usherd.changes import RowKind
from usherd.errors import Fault, FieldInvalid, InternalFault, NotFound, OutOfTime
from usherd.facts import Team
from usherd.rpc import replies
from usherd.rpc.dial import Connection
from usherd.rpc.directory.client import DirectoryClient
from usherd.rpc.names import AUTHORIZATION, DIRECTORY
from usherd.rpc.revocation.dial import Client as RevocationClient
from usherd.rpc.revocation.dial import ToRevoke
from usherd.store import Edit, Filter, Op

PREFIX = "usherd-doctor-"
"""What ids of teams of a probe begin with. Nobody else's should: those that were left are deleted."""


class Told(NamedTuple):
    """What a probe has measured, in seconds."""

    asked: float
    """From the call that made the change to its answer."""
    told: float
    """From that call to the news of it."""


class Changed(NamedTuple):
    """What the probe of the directory has measured."""

    told: Told
    clock: float
    """How far the server's clock is ahead of this machine's, in seconds, as far as the call's length lets one know."""


@asynccontextmanager
async def team(connection: Connection, timeout: float) -> AsyncIterator[str]:
    """A team that grants nothing, for as long as the block lasts; what an earlier probe has left is deleted, too.

    Raises Fault.
    """
    client, name = DirectoryClient(connection, timeout=timeout), PREFIX + secrets.token_hex(6)
    left = [stored.row async for stored in client.rows(RowKind.TEAM, Filter(prefix=PREFIX))]
    for row in left:
        await _delete(client, row.id if isinstance(row, Team) else "")
    row = Team(id=name, issuer=await _issuer(client), models=())
    await client.apply([Edit(Op.CREATE, RowKind.TEAM, (name,), row)], f"doctor-{name}")
    try:
        yield name
    finally:
        # Also when the command is cancelled: it must leave nothing.
        await asyncio.shield(_delete(client, name))


async def _issuer(client: DirectoryClient) -> str | None:
    """That of any team: with several issuers a team must be somebody's."""
    async for stored in client.rows(RowKind.TEAM):
        return stored.row.issuer if isinstance(stored.row, Team) else None
    return None


async def _delete(client: DirectoryClient, name: str) -> None:
    with suppress(NotFound):
        await client.apply([Edit(Op.DELETE, RowKind.TEAM, (name,))], f"doctor-{name}-deleted-{secrets.token_hex(4)}")


async def change(connection: Connection, name: str, timeout: float) -> Changed:
    """Blocks that team, and waits until a stream of changes tells of it. Raises Fault."""
    client = DirectoryClient(connection, timeout=timeout)
    request = change_pb2.WatchChangesRequest(kinds=[change_pb2.ROW_KIND_TEAM])
    async with _stream(connection, f"/{DIRECTORY}/WatchChanges", request, change_pb2.WatchChangesResponse) as events:
        # Its first checkpoint says that it listens.
        await _next(events, timeout, lambda event: event.HasField("checkpoint"))
        news = asyncio.create_task(
            _next(events, timeout, lambda event: event.HasField("change") and event.change.id == name)
        )
        try:
            began, wall = time.monotonic(), time.time()
            await client.block(RowKind.TEAM, (name,), blocked=True)
            asked = time.monotonic() - began
            event, at = await news
        finally:
            news.cancel()
    committed = event.change.committed_at.seconds + event.change.committed_at.nanos / 1e9
    return Changed(Told(asked, at - began), committed - (wall + asked / 2))


async def revoke(connection: Connection, token: str, route: str, model: str | None, timeout: float) -> Told:
    """Watches a decision about that token, revokes the token, waits until the stream tells of it, and lifts that again.

    Raises Fault; ValueError if the token is none that could be revoked.
    """
    question = question_pb2.Question(token=token, route=route, method="POST", model=model)
    request = api.AuthorizeRequest(question=question, mode=api.MODE_WATCH)
    client = RevocationClient(connection, timeout)
    async with _stream(connection, f"/{AUTHORIZATION}/Authorize", request, api.AuthorizeResponse) as events:
        first, _ = await _next(events, timeout, lambda event: True)
        if first.terms.mode != api.MODE_WATCH:
            raise InternalFault
        news = asyncio.create_task(_next(events, timeout, lambda event: event.HasField("ended")))
        began = time.monotonic()
        revocation = None
        try:
            revocation, _ = await client.revoke(ToRevoke(token=token, note="usherd doctor: lifted at once"))
            asked = time.monotonic() - began
            _, at = await news
        except FieldInvalid:
            # It can only be the token.
            raise ValueError("the token is refused already, before it is revoked") from None
        finally:
            news.cancel()
            if revocation is not None:
                await asyncio.shield(client.lift(revocation.id, ""))
    return Told(asked, at - began)


@asynccontextmanager
async def _stream(connection: Connection, method: str, request: Any, answer: type[Any]) -> AsyncIterator[Any]:
    call = connection.channel.unary_stream(
        method, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
    )
    stream = call(request, metadata=connection.metadata)
    try:
        yield stream
    finally:
        stream.cancel()


async def _next(events: Any, timeout: float, wanted: Any) -> tuple[Any, float]:
    """The next event that is wanted, and when it came. Raises Fault."""
    ended: Fault
    try:
        async with asyncio.timeout(timeout):
            while (event := await events.read()) is not grpc.aio.EOF:
                if wanted(event):
                    return event, time.monotonic()
        ended = InternalFault()
    except grpc.aio.AioRpcError as error:
        ended = replies.fault(error.code(), tuple(error.trailing_metadata() or ()))
    except TimeoutError:
        ended = OutOfTime()
    # Outside of the handler: the library's error has the peer's text in it.
    raise ended
