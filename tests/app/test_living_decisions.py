"""Two daemons on one database: what is changed at one of them is heard on streams of the other."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc

from commands import server_beside
from tools.changing import ROUTE, Daemon
from tools.directory_world import Client
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, event_pb2, question_pb2
from usherd.rpc.dial import connected

COMPANY = "teams: [{id: red, models: [gpt-4o]}]\nusers: [{id: alice, teams: [red]}]\n"
SERVICE = "/usher.v1.AuthorizationService"


async def _event(stream: Any, seconds: float = 10.0) -> Any:
    """The next event that is no checkpoint."""
    async with asyncio.timeout(seconds):
        while (event := await stream.read()).WhichOneof("event") == "checkpoint":
            pass
    return event


async def test_a_team_that_is_blocked_at_one_replica_stops_what_runs_at_the_other(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    (tmp_path / "directory.yaml").write_text(COMPANY)
    daemon.configure(directory={"url": "sqlite:///directory.db", "seed": "directory.yaml"})
    config = tmp_path / "usherd.yaml"
    async with (
        server_beside(config) as (_, one),
        server_beside(config) as (_, other),
        connected(one) as writing,
        connected(other) as reading,
    ):
        question = question_pb2.Question(token=daemon.token(), route=ROUTE, method="POST", model="gpt-4o")
        watched = reading.channel.unary_stream(f"{SERVICE}/Authorize", None, api.AuthorizeResponse.FromString)(
            api.AuthorizeRequest(question=question, mode=api.MODE_WATCH).SerializeToString()
        )
        subscribed = reading.channel.stream_stream(f"{SERVICE}/Subscribe", None, api.SubscribeResponse.FromString)()
        adds = [api.SubscribeRequest.Add(id=1, question=question)]
        await subscribed.write(api.SubscribeRequest(add=adds).SerializeToString())
        firsts = [(await _event(each)).decision.effect for each in (watched, subscribed)]
        call = Client(writing.channel)
        begun = time.monotonic()
        await call("BlockTeam", id="red")
        blocked = [(await _event(each)).changed for each in (watched, subscribed)]
        took = time.monotonic() - begun
        await call("UnblockTeam", id="red")
        lifted = [(await _event(each)).changed.decision.effect for each in (watched, subscribed)]
        for each in (watched, subscribed):
            each.cancel()

    assert firsts == [decision_pb2.EFFECT_ALLOW] * 2
    assert [each.decision.effect for each in blocked] == [decision_pb2.EFFECT_DENY] * 2
    assert [each.cause for each in blocked] == [event_pb2.CAUSE_DIRECTORY] * 2
    assert lifted == [decision_pb2.EFFECT_ALLOW] * 2
    assert took < 5.0


async def test_a_daemon_that_ends_sends_its_streams_elsewhere(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    (tmp_path / "directory.yaml").write_text(COMPANY)
    daemon.configure(directory={"seed": "directory.yaml"})
    async with server_beside(tmp_path / "usherd.yaml") as (process, address), connected(address) as connection:
        question = question_pb2.Question(token=daemon.token(), route=ROUTE, method="POST", model="gpt-4o")
        stream = connection.channel.unary_stream(f"{SERVICE}/Authorize", None, api.AuthorizeResponse.FromString)(
            api.AuthorizeRequest(question=question, mode=api.MODE_WATCH).SerializeToString()
        )
        first = await _event(stream)
        process.terminate()
        last = await _event(stream)
        code = await stream.code()

    assert first.decision.effect == decision_pb2.EFFECT_ALLOW
    assert last.resync.cause == event_pb2.CAUSE_SERVER
    assert code is grpc.StatusCode.OK
