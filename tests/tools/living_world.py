"""A real server whose decisions are kept true: a company with teams in memory, and clients that watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc

from tools.rpc_world import SERVICE, calling, running
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.facts import Team
from usherd.rpc.hub_life import new_hub
from usherd.rpc.limits import Limits
from usherd.rpc.server import Begins, Serving
from usherd.stores.row_lookups import lookups_of
from usherd.watch.hub import Hub
from usherd.watch.tally import Tally
from worlds import CHAT, World

TEAMS = tuple(Team(id=f"t{number}", models=("gpt-4o",)) for number in range(1, 4))


@dataclass
class Watching:
    """The world, its server and a channel to it."""

    world: World
    hub: Hub
    server: Serving
    channel: grpc.aio.Channel
    tally: Tally
    told_after: list[float]

    def question(self, team: str = "t1", **claims: Any) -> question_pb2.Question:
        """A question of a member of that team."""
        token = self.world.token(groups=[team], **claims)
        return question_pb2.Question(token=token, route=CHAT, method="POST", model="gpt-4o")

    def authorize(self, question: question_pb2.Question | None = None, *, team: str = "t1", **options: Any) -> Any:
        """A stream of Authorize in MODE_WATCH."""
        request = watch_request(self.question(team) if question is None else question, **options)
        return self.channel.unary_stream(f"{SERVICE}/Authorize", None, api.AuthorizeResponse.FromString)(request)

    def subscribe(self, **more: Any) -> Any:
        """A stream of Subscribe."""
        return self.channel.stream_stream(f"{SERVICE}/Subscribe", None, api.SubscribeResponse.FromString)(**more)

    async def event(self, stream: Any, seconds: float = 5.0) -> Any:
        """The next event."""
        async with asyncio.timeout(seconds):
            return await stream.read()

    async def check(self, question: question_pb2.Question) -> Any:
        """What Check says now."""
        check = self.channel.unary_unary(f"{SERVICE}/Check", None, api.CheckResponse.FromString)
        return (await check(api.CheckRequest(question=question).SerializeToString(), timeout=5)).decision

    def change(self, team: Team) -> int:
        """Makes that the team's row, by the narrow way: only what depends on it may be touched."""
        return change_team(self.world, team)

    def block(self, team_id: str, *, blocked: bool = True) -> int:
        """Blocks a team, and returns the revision."""
        team = self.world.directory.at_hand().tables.teams.get(team_id)
        assert team is not None
        return self.change(replace(team, blocked=blocked))


def watch_request(question: question_pb2.Question, **options: Any) -> bytes:
    """An AuthorizeRequest in MODE_WATCH."""
    given = api.Options(**options)
    return api.AuthorizeRequest(question=question, options=given, mode=api.MODE_WATCH).SerializeToString()


def subscribe_request(world: Watching, teams: Mapping[int, str], remove: tuple[int, ...] = ()) -> bytes:
    """A SubscribeRequest with a question of a member of these teams under these ids."""
    adds = [api.SubscribeRequest.Add(id=number, question=world.question(team)) for number, team in teams.items()]
    return api.SubscribeRequest(add=adds, remove=remove).SerializeToString()


def change_team(world: World, team: Team) -> int:
    """Makes that the team's row as an edit of a kept directory would, and returns the revision: only what finds it, or
    found it before, is told."""
    directory = world.directory
    facts = directory.at_hand()
    before = facts.tables.teams.get(team.id)
    found = [*lookups_of(team), *(() if before is None else lookups_of(before))]
    return directory._publish(facts.tables.with_team(team, facts.revision + 1), found)


@asynccontextmanager
async def watching(world: World | None = None, begins: Begins | None = None, **limits: Any) -> AsyncIterator[Watching]:
    """The world behind a server."""
    world = World(teams=TEAMS) if world is None else world
    told_after: list[float] = []
    tally = Tally(told_after.append)
    made = Limits(**limits)
    hub = new_hub(made, tally)
    hub.clock = lambda: world.now
    unlisten = world.directory.listen(hub.hear)
    async with running(world.authorizer, limits=made, hub=hub, begins=begins) as server, calling(server) as channel:
        yield Watching(world, hub, server, channel, tally, told_after)
    unlisten()
