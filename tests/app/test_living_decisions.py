"""Two daemons on one database: what is changed at one of them is heard on streams of the other."""

from __future__ import annotations

import asyncio
import signal
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


async def test_a_replica_that_stood_still_for_too_long_says_nothing_of_before(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    (tmp_path / "directory.yaml").write_text(COMPANY)
    daemon.configure(directory={"url": "sqlite:///directory.db", "seed": "directory.yaml", "max_staleness": "1s"})
    config = tmp_path / "usherd.yaml"
    async with (
        server_beside(config) as (process, one),
        server_beside(config) as (_, other),
        connected(one) as stopped,
        connected(other) as writing,
    ):
        question = question_pb2.Question(token=daemon.token(), route=ROUTE, method="POST", model="gpt-4o")
        watched = stopped.channel.unary_stream(f"{SERVICE}/Authorize", None, api.AuthorizeResponse.FromString)(
            api.AuthorizeRequest(question=question, mode=api.MODE_WATCH).SerializeToString()
        )
        first = await _event(watched)
        check = stopped.channel.unary_unary(f"{SERVICE}/Check", None, api.CheckResponse.FromString)
        asked = api.CheckRequest(question=question).SerializeToString()
        before = [(await check(asked, timeout=10)).decision.effect for _ in range(3)]
        process.send_signal(signal.SIGSTOP)
        try:
            await Client(writing.channel)("BlockTeam", id="red")
            await asyncio.sleep(1.5)
            # They wait in the socket, and are the first that it reads.
            asking = [check(asked, timeout=30) for _ in range(20)]
            await asyncio.sleep(0.1)
        finally:
            process.send_signal(signal.SIGCONT)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        heard: list[str | None] = []
        try:
            async with asyncio.timeout(10):
                while heard[-1:] != ["changed"] and (event := await watched.read()) is not grpc.aio.EOF:
                    heard.append(event.WhichOneof("event"))
        except grpc.aio.AioRpcError as error:
            heard.append(error.code().name)
        watched.cancel()

    assert {first.decision.effect, *before} == {decision_pb2.EFFECT_ALLOW}
    for answer in answers:
        if isinstance(answer, grpc.aio.AioRpcError):
            assert answer.code() is grpc.StatusCode.UNAVAILABLE
        else:
            assert answer.decision.effect == decision_pb2.EFFECT_DENY
    # Neither has it said that nothing has changed.
    assert heard in (["changed"], ["UNAVAILABLE"])
