"""What goes wrong seldom: clocks that step, routes that become public, rights that go while something is said."""

from __future__ import annotations

from dataclasses import replace

from tools.living_core import TEAMS, kinds, living, reasons
from usherd.facts import Team
from usherd.watch.events import Cause, EndedFor
from worlds import CHAT, World, policy


async def test_a_route_that_became_public_is_not_looked_at_for_the_end_of_the_token() -> None:
    async with living(age=1e9) as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        public = replace(policy().routes, public=(CHAT,))
        other = World(policy=policy(routes=public), teams=TEAMS, revocations=core.revoked)
        other.pairs, other.keys.sets = core.world.pairs, core.world.keys.sets
        core.hub.answer_with(other.authorizer.judging)
        (changed,) = await core.events(stream)
        looks = core.hub.tally.looks
        other.now += 601
        core.forward(601)
        told = await core.events(stream)

    assert list(reasons([changed])) == ["PUBLIC_ROUTE"]
    assert set(kinds(told)) == {"Checkpoint"}
    assert core.hub.tally.looks == looks


async def test_a_clock_that_steps_back_makes_no_key_be_trusted_for_longer() -> None:
    async with living(age=1e9) as core:
        (key,) = core.world.keys.sets["idp"]
        core.world.keys.lasting[key.thumbprint] = 30.0
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        core.world.now -= 20
        core.forward(1)
        await core.events(stream)
        core.world.keys.sets["idp"] = []
        core.forward(30.1)
        (ended,) = [each for each in await core.events(stream) if each.id]

    assert isinstance(ended.what, EndedFor)
    assert ended.what.cause is Cause.KEY_REMOVED


async def test_of_hundreds_of_teams_that_a_token_names_each_is_heard_of() -> None:
    teams = tuple(Team(id=f"t{number}", models=("gpt-4o" if number == 200 else "o1",)) for number in range(201))
    for number in (0, 100, 200):
        async with living(World(teams=teams)) as core:
            stream = core.stream()
            await core.add(stream, claims={"groups": [each.id for each in teams]})
            (first,) = await core.events(stream)
            looks = core.hub.tally.looks
            core.block(f"t{number}")
            await core.events(stream)

        assert list(reasons([first])) == ["ALLOWED"]
        assert not first.what.cacheable
        assert core.hub.tally.looks > looks, number
