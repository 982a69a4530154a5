"""Revokes tokens on a server that runs elsewhere, for the command line."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Unpack

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from usher.v1 import revocation_pb2
from usher.v1 import revocation_service_pb2 as api
from usherd.changes import Lookup, Sought
from usherd.errors import InternalFault
from usherd.revocation_store import Revocation, Wanted
from usherd.revocations import Entry
from usherd.rpc import replies
from usherd.rpc.dial import Connection, Link, connected
from usherd.rpc.names import REVOCATION
from usherd.rpc.revocation.shown import stamp, tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRevoke:
    """What is to be revoked: one of `token` and `which`."""

    token: str = ""
    which: Lookup | None = None
    issued_before: float | None = None
    """Seconds since the epoch; None: now."""
    keep_until: float | None = None
    note: str = ""
    request_id: str = ""

    def __repr__(self) -> str:
        return "ToRevoke(...)"


class Client:
    """RevocationService on one server. Each method raises the Fault that the server ended the call with."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        """Each call takes at most `timeout` seconds."""
        self._connection = connection
        self._timeout = timeout

    async def revoke(self, what: ToRevoke) -> tuple[Revocation | None, str]:
        """Revokes it. What is kept of it (None: the request was a repeated one, and it is another since), and the
        revision since which it counts."""
        request = api.RevokeRequest(
            issued_before=None if what.issued_before is None else stamp(what.issued_before),
            keep_until=None if what.keep_until is None else stamp(what.keep_until),
            note=what.note,
            request_id=what.request_id,
        )
        if what.which is None:
            request.token = what.token
        else:
            request.tokens.CopyFrom(tokens(what.which))
        answer = await self._call("Revoke", request, api.RevokeResponse)
        return _read(answer.revocation) if answer.HasField("revocation") else None, answer.revision

    async def each(self, wanted: Wanted) -> AsyncIterator[Revocation]:
        """All that are wanted, page by page."""
        request = api.ListRevocationsRequest(
            page_size=1000,
            issuer=wanted.issuer,
            subject=wanted.subject,
            jti=wanted.jti,
            token_id=wanted.token_id,
        )
        while True:
            answer = await self._call("ListRevocations", request, api.ListRevocationsResponse)
            for row in answer.revocations:
                yield _read(row)
            request.page_token = answer.next_page_token
            if not request.page_token:
                return

    async def lift(self, id: str, request_id: str = "") -> str:
        """Lifts that revocation; the revision since which it does not count."""
        request = api.LiftRevocationRequest(id=id, request_id=request_id)
        revision: str = (await self._call("LiftRevocation", request, api.LiftRevocationResponse)).revision
        return revision

    async def _call(self, method: str, request: Any, kind: Any) -> Any:
        made = self._connection.channel.unary_unary(
            f"/{REVOCATION}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=kind.FromString,
        )
        try:
            return await made(request, timeout=self._timeout, metadata=self._connection.metadata)
        except grpc.aio.AioRpcError as error:
            ended = replies.fault(error.code(), tuple(error.trailing_metadata() or ()))
        # Outside of the handler: the library's error has the peer's text in it.
        raise ended


@asynccontextmanager
async def dial(address: str, *, timeout: float = 10.0, **link: Unpack[Link]) -> AsyncIterator[Client]:
    """A client of the server at `address`, as `rpc.dial.connected`."""
    async with connected(address, **link) as connection:
        yield Client(connection, timeout)


def _read(message: revocation_pb2.Revocation) -> Revocation:
    entry = Entry(
        which=_which(message.tokens),
        issued_before=_seconds(message.issued_before) if message.HasField("issued_before") else None,
        until=_seconds(message.until) if message.HasField("until") else math.inf,
    )
    return Revocation(
        id=message.id,
        entry=entry,
        note=message.note,
        caller=message.caller,
        revoked_at=_seconds(message.revoked_at),
    )


def _which(message: revocation_pb2.RevokedTokens) -> Lookup:
    which = message.WhichOneof("which")
    if which == "token_id":
        return Lookup(Sought.TOKEN, (message.token_id,))
    if which == "jti":
        return Lookup(Sought.JTI, (message.jti.issuer, message.jti.jti))
    if which == "subject":
        return Lookup(Sought.SUBJECT, (message.subject.issuer, message.subject.subject))
    if which == "issuer":
        return Lookup(Sought.ISSUER, (message.issuer,))
    # Of a later version, perhaps: it cannot be shown as anything that it may not be.
    raise InternalFault


def _seconds(moment: Timestamp) -> float:
    return moment.seconds + moment.nanos / 1e9
