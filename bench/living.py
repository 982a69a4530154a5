"""Measures living decisions over real sockets: how soon those hear of a change who depend on it, and who else does."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc.aio
import uvloop

from bench.company import TEAMS, TOKENS, Company
from bench.processes import cpu, memory, process
from bench.report import Figure
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2

CONNECTIONS = 100
SUBSCRIBED = 90
"""Decisions on the one Subscribe stream of each connection."""
WATCHED = 10
"""Streams of Authorize on each connection, besides."""
DECISIONS = CONNECTIONS * (SUBSCRIBED + WATCHED)
MAX_TOLD = 250.0
"""Milliseconds until 99 of 100 who depend on a change have been told."""
BLOCKS = 30
_SERVICE = "/usher.v1.AuthorizationService/"


@dataclass
class Held:
    """What a client holds of one decision."""

    team: int
    allowed: bool = True
    revision: int = 0
    told_at: float = 0.0


@dataclass
class Clients:
    """All clients, in one process that is not the server's."""

    port: int
    requests: tuple[bytes, ...]
    held: list[Held] = field(default_factory=list)
    of_team: dict[int, list[Held]] = field(default_factory=dict)
    events: int = 0
    """Decisions that were told, first ones and others."""
    checkpoints: int = 0
    falling: int = 0
    """Revisions that did not rise."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ends: int = 0
    error: BaseException | None = None

    def new(self, number: int) -> tuple[Held, bytes]:
        team = number % TEAMS
        held = Held(team)
        self.held.append(held)
        self.of_team.setdefault(team, []).append(held)
        return held, self.requests[number % TOKENS]

    def take(self, held: Held | None, event: Any) -> None:
        kind = event.WhichOneof("event")
        if kind == "checkpoint":
            self.checkpoints += 1
            return
        assert held is not None
        if kind not in ("decision", "changed"):
            raise AssertionError(f"an unexpected {kind}")
        decision = event.decision if kind == "decision" else event.changed.decision
        revision = int(decision.revision.rpartition(":")[2])
        self.falling += revision <= held.revision
        held.allowed, held.revision = decision.effect == decision_pb2.EFFECT_ALLOW, revision
        held.told_at = time.monotonic()
        self.events += 1
        self.changed.set()

    def channel(self, options: Sequence[tuple[str, Any]]) -> grpc.aio.Channel:
        """A new connection."""
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=options)

    async def connect(self, place: int) -> None:
        """One connection, for as long as the measurement lasts."""
        async with self.channel((("grpc.use_local_subchannel_pool", 1),)) as channel:
            first = place * (SUBSCRIBED + WATCHED)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._subscribe(channel, first))
                for number in range(first + SUBSCRIBED, first + SUBSCRIBED + WATCHED):
                    tasks.create_task(self._watch(channel, number))

    async def _subscribe(self, channel: grpc.aio.Channel, first: int) -> None:
        stream = channel.stream_stream(f"{_SERVICE}Subscribe", None, api.SubscribeResponse.FromString)()
        request, by_id = api.SubscribeRequest(), {}
        for each in range(SUBSCRIBED):
            held, asked = self.new(first + each)
            by_id[each + 1] = held
            request.add.add(id=each + 1, question=api.AuthorizeRequest.FromString(asked).question)
        await stream.write(request.SerializeToString())
        while (event := await stream.read()) is not grpc.aio.EOF:
            self.take(by_id.get(event.id), event)
        self.ends += 1

    async def _watch(self, channel: grpc.aio.Channel, number: int) -> None:
        held, asked = self.new(number)
        request = api.AuthorizeRequest.FromString(asked)
        request.mode = api.MODE_WATCH
        stream = channel.unary_stream(f"{_SERVICE}Authorize", None, api.AuthorizeResponse.FromString)
        async for event in stream(request.SerializeToString()):
            self.take(held, event)
        self.ends += 1

    def over(self, task: asyncio.Task[None]) -> None:
        """A connection is over, and must not be."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.error = error
            self.changed.set()

    async def until(self, done: Any, seconds: float) -> None:
        """Returns when that is so."""
        async with asyncio.timeout(seconds):
            while not done():
                self.changed.clear()
                await self.changed.wait()
                if self.error is not None:
                    raise self.error
                # To look costs more than an event does.
                await asyncio.sleep(0.005)


class _Server:
    def __init__(self, running: Any) -> None:
        self.pid: int = running.pid
        self._running = running

    async def tell(self, line: str) -> list[str]:
        self._running.stdin.write(line + "\n")
        self._running.stdin.flush()
        return (await asyncio.to_thread(self._running.stdout.readline)).split()


def measure(company: Company, port: int, seconds: float) -> list[Figure]:
    """All of it; `seconds` is how long changes come one after the other."""
    with process(["-m", "bench.living_server", str(company.config)]) as running:
        assert running.stdout is not None
        if running.stdout.readline().strip() != "ready":
            raise AssertionError("the server does not start")
        return uvloop.run(_measure(_Server(running), company, port, seconds))


async def _measure(server: _Server, company: Company, port: int, seconds: float) -> list[Figure]:
    clients = Clients(port, company.authorize)
    before = memory(server.pid)
    begun = time.monotonic()
    living: list[asyncio.Task[None]] = []
    for place in range(CONNECTIONS):
        # A few at a time, as clients are told to: more calls at once than wait in the server's backlog are refused.
        living.append(asyncio.create_task(clients.connect(place)))
        living[-1].add_done_callback(clients.over)
        await clients.until(lambda: clients.events >= (len(living) - 2) * (SUBSCRIBED + WATCHED), 60)
    await clients.until(lambda: clients.events == DECISIONS, 60)
    opened = time.monotonic() - begun
    assert all(each.allowed for each in clients.held)
    figures = [
        Figure(f"{DECISIONS:,} living decisions: until all are told", "s", (opened,)),
        Figure("memory of the server for each", "KiB", ((memory(server.pid) - before) * 1024 / DECISIONS,)),
    ]
    print("quiet ...", file=sys.stderr)
    used, checkpoints, since = cpu(server.pid), clients.checkpoints, time.monotonic()
    await asyncio.sleep(10)
    past = time.monotonic() - since
    figures.append(Figure("quiet: CPU of the server", "%", ((cpu(server.pid) - used) / past * 100,)))
    figures.append(Figure("quiet: checkpoints a second", "", ((clients.checkpoints - checkpoints) / past,)))
    print("blocking teams ...", file=sys.stderr)
    figures += await _blocks(server, clients)
    print("changes one after the other ...", file=sys.stderr)
    figures += await _storm(server, clients, seconds)
    print("usage ...", file=sys.stderr)
    figures += await _usage(server, clients)
    figures.append(Figure("revisions that did not rise", "", (float(clients.falling),), 0.0))
    figures.append(Figure("streams that ended meanwhile", "", (float(clients.ends),), 0.0))
    figures.append(Figure("load of the machine (1 minute)", "", (os.getloadavg()[0],)))
    for each in living:
        each.cancel()
    await asyncio.wait(living)
    return figures


async def _blocks(server: _Server, clients: Clients) -> list[Figure]:
    each_told, last_told, others = [], [], 0
    for turn in range(BLOCKS):
        team = turn * 7 % TEAMS
        for word in ("block", "allow"):
            events = clients.events
            at = float((await server.tell(f"{word} {team}"))[0])
            dependent = clients.of_team[team]
            await clients.until(partial(_all_are, dependent, word == "allow"), 30)
            told = [(each.told_at - at) * 1000 for each in dependent]
            each_told += told
            last_told.append(max(told))
            await asyncio.sleep(0.05)
            others += clients.events - events - len(told)
    hundredths = statistics.quantiles(each_told, n=100)
    return [
        Figure("a team is blocked: told after, median of all", "ms", (statistics.median(each_told),)),
        Figure("a team is blocked: told after, 99th of 100", "ms", (hundredths[98],), MAX_TOLD),
        Figure("a team is blocked: the last of 100 is told after", "ms", tuple(last_told)),
        Figure("a team is blocked: events to others", "", (float(others),), 0.0),
    ]


def _all_are(held: Sequence[Held], allowed: bool) -> bool:
    return all(each.allowed is allowed for each in held)


async def _storm(server: _Server, clients: Clients, seconds: float) -> list[Figure]:
    used, events, since = cpu(server.pid), clients.events, time.monotonic()
    at, *blocked = await server.tell(f"storm 100 {seconds}")
    took = time.monotonic() - since
    now_blocked = {int(each) for each in blocked}

    def in_the_last_state() -> bool:
        return all(each.allowed is (each.team not in now_blocked) for each in clients.held)

    await clients.until(in_the_last_state, 60)
    behind = max(each.told_at for each in clients.held) - float(at)
    told = clients.events - events
    spent = (cpu(server.pid) - used) / (time.monotonic() - since)
    return [
        Figure("100 changes a second: made a second", "", (100 * seconds / took,)),
        Figure("100 changes a second: events a second", "", (told / took,)),
        Figure("100 changes a second: CPU of the server", "%", (spent * 100,)),
        Figure("100 changes a second: all in the last state after", "ms", (max(0.0, behind) * 1000,)),
    ]


async def _usage(server: _Server, clients: Clients) -> list[Figure]:
    await asyncio.sleep(0.5)
    events, used, since = clients.events, cpu(server.pid), time.monotonic()
    await server.tell("spend 1000 10")
    spent = (cpu(server.pid) - used) / (time.monotonic() - since)
    woken = clients.events - events
    team = next(each.team for each in clients.held if each.allowed)
    at = float((await server.tell(f"exhaust {team}"))[0])
    await clients.until(lambda: not any(each.allowed for each in clients.of_team[team]), 30)
    last = max(each.told_at for each in clients.of_team[team]) - at
    return [
        Figure("1,000 usages a second: events", "", (float(woken),), 0.0),
        Figure("1,000 usages a second: CPU of the server", "%", (spent * 100,)),
        Figure("a budget is exhausted: the last of 100 is told after", "ms", (last * 1000,)),
    ]
