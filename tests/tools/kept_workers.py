"""A server whose workers share a database, and connections to the one or the other of them.

with kept_workers(folder, url) as workers:
    async with workers.at(1) as one, workers.at(2) as other:
        await one.directory("BlockTeam", id="red")
        await other.reason(workers.token())
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from commands import server
from tools import revocation_world, session_world
from tools.changing import ROUTE
from tools.directory_world import Client
from tools.waiting import PATIENCE
from tools.workers import Workers
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2, reason_pb2

COMPANY = {"teams": [{"id": "red", "models": ["gpt-4o"]}], "users": [{"id": "alice", "teams": ["red"]}]}
ALONE = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
"""Each channel has a connection of its own, and nothing is asked twice behind our back."""
_TRIES = 100
"""Connections until one is the wanted worker's: of two, each has it by an even chance."""
_SERVICE = "/usher.v1.AuthorizationService"


class KeptWorkers(Workers):
    """Two workers on one database."""

    def __init__(self, folder: Path, url: str) -> None:
        self._url = url
        super().__init__(folder)
        self.write("directory.yaml", COMPANY)

    def configure(self, *, issuer: dict[str, Any] | None = None, **keys: Any) -> None:
        (self.folder / "kek").write_text(base64.b64encode(bytes([7]) * 32).decode())
        # How it is known which of them has answered.
        telemetry = {"metrics": "127.0.0.1:0", "log": "json", "level": "debug"}
        directory = {"url": self._url, "seed": "directory.yaml"}
        sessions = {"key_encryption": "file:kek", "http": "127.0.0.1:0"}
        super().configure(
            issuer=issuer, **{"telemetry": telemetry, "directory": directory, "sessions": sessions} | keys
        )

    @asynccontextmanager
    async def at(self, worker: int) -> AsyncIterator[At]:
        """A connection to that one."""
        for _ in range(_TRIES):
            async with grpc.aio.insecure_channel(self.address, options=ALONE) as channel:
                found = At(self, channel)
                before = len(self.events("decision"))
                await found.reason(self.token())
                await asyncio.to_thread(self.wait_for, "decision", before + 1)
                if self.events("decision")[before]["worker"] == worker:
                    yield found
                    return
        raise AssertionError(f"no connection is worker {worker}'s")


class At:
    """A connection to one worker."""

    def __init__(self, workers: KeptWorkers, channel: grpc.aio.Channel) -> None:
        self.directory = Client(channel)
        self.revocations = Client(channel, service=revocation_world.SERVICE)
        self.sessions = Client(channel, service=session_world.SERVICE)
        self._channel = channel

    async def reason(self, token: str) -> str:
        """What it says of the token now."""
        request = api.CheckRequest(question=_question(token)).SerializeToString()
        check = self._channel.unary_unary(f"{_SERVICE}/Check")
        answer = api.CheckResponse.FromString(await check(request, timeout=PATIENCE))
        return _name(answer.decision.reason)

    @asynccontextmanager
    async def watching(self, token: str) -> AsyncIterator[AsyncIterator[str]]:
        """The reasons of a living decision, as they come, until it has ended."""
        made = self._channel.unary_stream(f"{_SERVICE}/Authorize", None, api.AuthorizeResponse.FromString)
        request = api.AuthorizeRequest(question=_question(token), mode=api.MODE_WATCH)
        stream = made(request.SerializeToString())
        try:
            yield _reasons(stream)
        finally:
            stream.cancel()


async def _reasons(stream: Any) -> AsyncIterator[str]:
    while True:
        async with asyncio.timeout(PATIENCE):
            event = await stream.read()
        match event.WhichOneof("event"):
            case "decision":
                yield _name(event.decision.reason)
            case "changed":
                yield _name(event.changed.decision.reason)
            case "ended":
                yield _name(event.ended.decision.reason)
                return
            case "checkpoint":
                continue
            case other:
                raise AssertionError(f"an event {other} that nobody expects")


def _question(token: str) -> question_pb2.Question:
    return question_pb2.Question(token=token, route=ROUTE, method="POST", model="gpt-4o")


def _name(reason: int) -> str:
    return reason_pb2.Reason.Name(reason).removeprefix("REASON_")  # type: ignore[arg-type]


@contextmanager
def kept_workers(folder: Path, url: str) -> Iterator[KeptWorkers]:
    """Both serve until the block is left."""
    workers = KeptWorkers(folder, url)
    with server(folder / "usherd.yaml") as (process, address):
        workers.process, workers.address = process, address
        yield workers
