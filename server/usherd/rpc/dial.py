"""Asks a server that runs elsewhere, for the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypedDict, Unpack

import grpc

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd import errors
from usherd.domain import Decision, Question
from usherd.rpc import names, replies
from usherd.rpc.address import is_local
from usherd.rpc.answers import MAX_ANSWER
from usherd.rpc.lenient import REFUSED
from usherd.rpc.options import MAX_REQUEST


class Link(TypedDict, total=False):
    """How to reach a server, as `connected` takes it."""

    root_certificates: bytes | None
    identity: tuple[bytes, bytes] | None
    credential: str | None
    plaintext_allowed: bool


class Connection(NamedTuple):
    """A way to one server."""

    channel: grpc.aio.Channel
    metadata: tuple[tuple[str, str], ...] | None
    """What each call shows of its caller."""


class Client:
    """Asks one server questions."""

    def __init__(self, connection: Connection) -> None:
        self._metadata = connection.metadata
        self._check = connection.channel.unary_unary(
            f"/{names.AUTHORIZATION}/Check",
            request_serializer=api.CheckRequest.SerializeToString,
            response_deserializer=api.CheckResponse.FromString,
        )

    async def check(
        self,
        question: Question,
        *,
        explain: bool = False,
        at_least_as_fresh: str = "",
        request_id: str = "",
        timeout: float = 2.0,
    ) -> Decision:
        """The server's decision, within `timeout` seconds. Raises the Fault that the server ended the call with.

        Text that is no Unicode (lone surrogates) is asked as text that the server denies, as it denies the text itself
        where it can be asked. A question with two wishes for a team is an InvalidRequest.
        """
        options = api.Options(explain=explain, at_least_as_fresh=at_least_as_fresh, request_id=request_id)
        request = api.CheckRequest(question=question_message(question), options=options)
        try:
            response = await self._check(request, timeout=timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            ended = replies.fault(error.code(), tuple(error.trailing_metadata() or ()))
        else:
            return replies.decision(response.decision)
        # Outside of the handler: the library's error has the peer's text in it.
        raise ended


@asynccontextmanager
async def connected(
    address: str,
    *,
    root_certificates: bytes | None = None,
    identity: tuple[bytes, bytes] | None = None,
    credential: str | None = None,
    plaintext_allowed: bool = False,
) -> AsyncIterator[Connection]:
    """A connection to the server at `address` (as in the server's own configuration).

    Plaintext on this machine, TLS elsewhere: a token is not sent over a network in clear unless `plaintext_allowed`.
    `root_certificates` (PEM) asks for TLS everywhere, and so does `identity`: a certificate and its key (PEM), for a
    server that knows its callers by them. `credential` is what it knows this caller by. Raises AddressUnusable.
    """
    plaintext = root_certificates is None and identity is None and (is_local(address) or plaintext_allowed)
    cert, key = identity or (None, None)
    options = [
        ("grpc.max_receive_message_length", MAX_ANSWER),
        ("grpc.max_send_message_length", MAX_REQUEST),
        ("grpc.enable_http_proxy", 0),
    ]
    if plaintext:
        channel = grpc.aio.insecure_channel(address, options=options)
    else:
        credentials = grpc.ssl_channel_credentials(root_certificates, key, cert)
        channel = grpc.aio.secure_channel(address, credentials, options=options)
    async with channel:
        yield Connection(channel, None if credential is None else ((names.CREDENTIAL, f"Bearer {credential}"),))


@asynccontextmanager
async def dial(address: str, **link: Unpack[Link]) -> AsyncIterator[Client]:
    """A client of the server at `address`, as `connected`."""
    async with connected(address, **link) as connection:
        yield Client(connection)


def question_message(question: Question) -> question_pb2.Question:
    """The contract's Question. Raises InvalidRequest for two wishes for a team."""
    if question.team_id is not None and question.team_alias is not None:
        raise errors.InvalidRequest(errors.FaultReason.REQUEST_UNDECODABLE)
    return question_pb2.Question(
        token=_text(question.token),
        route=_text(question.route),
        method=_text(question.method),
        model=_optional(question.model),
        fallback_models=map(_text, question.fallback_models),
        team_id=_optional(question.team_id),
        team_alias=_optional(question.team_alias),
        end_user_id=_text(question.end_user_id),
        organization_id=_text(question.organization_id),
        modifies_guardrails=question.modifies_guardrails,
    )


def _optional(value: str | None) -> str | None:
    return None if value is None else _text(value)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        return REFUSED.decode()
    return value
