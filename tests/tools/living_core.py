"""Living decisions without a server: a world, its hub, and streams that a test reads when it wants to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tools.living_world import change_team
from usherd.changes import Lookup, News, Sought
from usherd.domain import Decision, Question, VerifiedToken
from usherd.errors import Fault, RevocationsUnavailable
from usherd.facts import Team
from usherd.history import History
from usherd.watch.events import Changed, EndedFor, Event
from usherd.watch.hub import Bounds, Hub
from usherd.watch.stream import Stream
from usherd.watch.subscription import Subscription
from worlds import World

TEAMS = tuple(Team(id=f"t{number}", models=("gpt-4o",)) for number in range(1, 4))


@dataclass
class Revoked:
    """A list of revoked tokens, by jti."""

    jtis: set[str] = field(default_factory=set)
    unknown: bool = False

    def revoked(self, token: VerifiedToken) -> bool:
        if self.unknown:
            raise RevocationsUnavailable
        return token.claims.get("jti") in self.jtis


@dataclass
class Told:
    """Who hears of decisions, and may not let them leave."""

    decisions: list[Decision] = field(default_factory=list)
    fault: Fault | None = None

    def decided(self, subscription: Subscription, decision: Decision) -> None:
        if self.fault is not None:
            raise self.fault
        self.decisions.append(decision)


@dataclass
class Core:
    """A world whose decisions are kept true. Time stands still unless a test moves it."""

    world: World
    hub: Hub
    revoked: Revoked
    told: Told
    told_after: list[float]
    time: list[float]

    def stream(self, most: int = 100) -> Stream:
        return self.hub.open(self.told, most)

    async def add(self, stream: Stream, number: int = 1, team: str = "t1", **options: Any) -> Question:
        """Subscribes a member of that team; the question that was asked."""
        claims = options.pop("claims", {})
        question = self.world.question(claims={"groups": [team], **claims})
        stream.take_number(number)
        await stream.add(number, question, **options)
        return question

    async def settled(self) -> None:
        """Returns when everybody who has to be looked at knows it."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def events(self, stream: Stream) -> list[Event]:
        """All that there is to say now."""
        found = []
        while (event := await self.now(stream)) is not None:
            found.append(event)
        return found

    async def now(self, stream: Stream) -> Event | None:
        """The next event, if there is one without time going by."""
        await self.settled()
        asked = asyncio.ensure_future(stream.next())
        await self.settled()
        if asked.done():
            return asked.result()
        asked.cancel()
        await asyncio.wait([asked])
        return None

    def forward(self, seconds: float) -> None:
        """Both clocks go on."""
        self.world.now += seconds
        self.time[0] += seconds
        self.hub.look()

    def block(self, team_id: str, *, blocked: bool = True) -> int:
        return change_team(self.world, Team(id=team_id, models=("gpt-4o",), blocked=blocked))

    def restored(self, revision: int) -> None:
        """The directory is of a revision that it had before, as after a restore; its rows are as they are."""
        directory = self.world.directory
        directory._facts = replace(directory._facts, revision=revision, history=History(revision))
        self.hub.hear(News(revision, None, (), self.world.now))

    def revoke(self, jti: str) -> None:
        """As a change of the list of revoked tokens is told."""
        self.revoked.jtis.add(jti)
        self.tell(Lookup(Sought.JTI, ("idp", jti)))

    def tell(self, *lookups: Lookup) -> None:
        """As a directory tells that these find something else."""
        self.hub.hear(News(self.world.directory.at_hand().revision, frozenset(), lookups, self.world.now))


@asynccontextmanager
async def living(world: World | None = None, **bounds: Any) -> AsyncIterator[Core]:
    """The world, and its hub at work."""
    revoked = Revoked()
    world = World(teams=TEAMS, revocations=revoked) if world is None else world
    told_after: list[float] = []
    time = [0.0]
    hub = Hub(Bounds(**bounds), clock=lambda: world.now, stopwatch=lambda: time[0], chance=lambda: 0.5)
    hub.tally.told_after = told_after.append
    hub.answer_with(world.authorizer.judging)
    unlisten = world.directory.listen(hub.hear)
    life = asyncio.create_task(hub.run())
    try:
        yield Core(world, hub, revoked, Told(), told_after, time)
    finally:
        life.cancel()
        await asyncio.wait([life])
        unlisten()


def kinds(events: list[Event]) -> list[str]:
    """What happened, in words."""
    return [type(event.what).__name__ for event in events]


def reasons(events: list[Event]) -> Iterator[str]:
    """Why, of each decision among the events."""
    for event in events:
        what = event.what
        decision = what.decision if isinstance(what, Changed | EndedFor) else what
        if isinstance(decision, Decision):
            yield decision.verdict.reason.name
