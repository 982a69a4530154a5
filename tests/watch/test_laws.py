"""Laws of living decisions over any history: whatever was told last is what Check says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from tools.living_core import Core, Revoked, living
from tools.living_world import change_team
from usherd.decide import allows
from usherd.domain import Decision, Limit, Question
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Organization, Team, User, Write, WriteKind
from usherd.watch.events import Changed, EndedFor, Event, Expiring
from usherd.watch.stream import Stream
from usherd.watch.subscription import says_the_same
from worlds import World

IDS = st.sampled_from(["a", "b", "c"])
TEAM = st.builds(
    Team,
    id=IDS,
    models=st.sampled_from([None, ("gpt-4o",), ("o1",), ("gpt-4o", "o1")]),
    blocked=st.booleans(),
    organization=st.sampled_from(["", "acme"]),
    limit=st.sampled_from([Limit(), Limit(max_budget_micro_usd=100), Limit(rpm=3)]),
    model_aliases=st.sampled_from([{}, {"gpt-4o": "o1"}]),
)
OWNER = st.sampled_from(
    [*(BudgetOwner(BudgetKind.TEAM, each) for each in "abc"), BudgetOwner(BudgetKind.USER, "alice")]
)
STEP = st.one_of(
    st.tuples(st.just("team"), TEAM),
    st.tuples(st.just("spend"), OWNER, st.sampled_from([1, 60, 100])),
    st.tuples(st.just("reset"), OWNER),
    st.tuples(st.just("user"), st.sampled_from(["", "proxy_admin"]), st.lists(IDS, max_size=2, unique=True)),
    st.tuples(st.just("rows"), st.lists(TEAM, max_size=3, unique_by=lambda each: each.id)),
    st.tuples(st.just("revoke"), st.sampled_from(["j0", "j1"])),
    st.tuples(st.just("keys")),
    st.tuples(st.just("time"), st.sampled_from([1.0, 30.0, 250.0])),
    st.tuples(st.just("add"), IDS, st.sampled_from(["j0", "j1"]), st.integers(0, 1)),
    st.tuples(st.just("remove"), st.integers(1, 6), st.integers(0, 1)),
    st.tuples(st.just("read"), st.integers(0, 1), st.integers(1, 3)),
)


@dataclass
class Client:
    """What a client holds that does what the contract says."""

    stream: Stream
    questions: dict[int, Question] = field(default_factory=dict)
    held: dict[int, Decision] = field(default_factory=dict)
    ended: dict[int, Decision] = field(default_factory=dict)
    revisions: dict[int, int] = field(default_factory=dict)
    last: int = 0

    def take(self, event: Event, now: dict[int, Decision]) -> None:
        what, number = event.what, event.id
        if isinstance(what, Decision):
            assert number not in self.held
            assert event.about == what.decision_id
            self.held[number] = what
            self.revisions[number] = _number(what)
        elif isinstance(what, Changed):
            before = self.held[number]
            assert event.about == before.decision_id
            assert not says_the_same(before.verdict, what.decision.verdict)
            assert says_the_same(what.decision.verdict, now[number].verdict)
            if _number(what.decision) >= 0:
                assert _number(what.decision) > self.revisions[number]
                self.revisions[number] = _number(what.decision)
            self.held[number] = what.decision
        elif isinstance(what, EndedFor):
            assert not allows(what.decision.verdict)
            assert says_the_same(what.decision.verdict, now[number].verdict)
            self.ended[number] = what.decision
            del self.held[number]
        elif isinstance(what, Expiring):
            assert number in self.held
        else:
            assert number == 0


def _number(decision: Decision) -> int:
    return int(decision.revision.rpartition(":")[2] or -1)


async def _checked(core: Core, client: Client) -> dict[int, Decision]:
    return {number: await core.world.authorizer.authorize(each) for number, each in client.questions.items()}


async def _read(core: Core, client: Client, most: int) -> None:
    for _ in range(most):
        event = await core.now(client.stream)
        if event is None:
            return
        # Nothing has happened since it was made.
        client.take(event, await _checked(core, client))


async def _do(core: Core, clients: list[Client], step: tuple[Any, ...]) -> None:
    directory = core.world.directory
    match step:
        case ("team", team):
            change_team(core.world, team)
        case ("spend", owner, amount):
            directory.record_usage(owner, amount)
        case ("reset", owner):
            directory.reset_usage(owner)
        case ("user", role, teams):
            row = User(id="alice", role=role, teams=tuple(teams))
            await directory.write([Write(WriteKind.CREATE_USER, row), Write(WriteKind.UPDATE_USER, row)])
        case ("rows", teams):
            directory.replace(_rows(teams))
        case ("revoke", jti):
            core.revoke(jti)
        case ("keys",):
            core.hub.keys_changed("idp")
        case ("time", seconds):
            core.forward(seconds)
        case ("add", team, jti, place):
            client = clients[place]
            client.last += 1
            client.questions[client.last] = await core.add(client.stream, client.last, team, claims={"jti": jti})
        case ("remove", number, place):
            clients[place].stream.remove(number)
            for each in (clients[place].questions, clients[place].held):
                each.pop(number, None)  # type: ignore[attr-defined]
        case ("read", place, most):
            await _read(core, clients[place], most)


def _rows(teams: list[Team]) -> Any:
    return World(teams=teams, organizations=[Organization(id="acme")], end_users=[EndUser(id="x")]).rows()


async def _history(steps: list[tuple[Any, ...]]) -> None:
    world = World(
        teams=[Team(id="a", models=("gpt-4o",)), Team(id="b")], organizations=[Organization(id="acme")],
        revocations=Revoked(),
    )  # fmt: skip
    async with living(world, age=1e9, checkpoint_every=1e9) as core:
        core.revoked = world.revocations  # type: ignore[assignment]
        clients = [Client(core.stream()), Client(core.stream())]
        for step in steps:
            await _do(core, clients, step)
        for client in clients:
            await _read(core, client, 1000)
            now = await _checked(core, client)
            for number in client.questions:
                last = client.held.get(number) or client.ended[number]
                assert says_the_same(last.verdict, now[number].verdict)
            client.stream.close()
        assert (core.hub.subscriptions, core.hub._index.entries) == (0, 0)


@examples(150, deadline=None)
@given(steps=st.lists(STEP, min_size=1, max_size=25))
def test_whatever_happens_the_last_decision_is_what_check_says(steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(_history(steps))
