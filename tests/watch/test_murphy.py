"""What goes wrong seldom: clocks that step, routes that become public, rights that go while something is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.living_core import TEAMS, kinds, living, reasons
from usherd.errors import DirectoryUnavailable
from usherd.facts import Team
from usherd.watch.events import Cause, Checkpoint, EndedFor
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


async def test_a_stream_that_was_told_of_revisions_which_are_lost_ends_at_once_and_no_other_does() -> None:
    async with living() as core:
        told, confirmed, other = core.stream(), core.stream(), core.stream()
        await core.add(confirmed)
        await core.add(other)
        core.block("t3")
        core.block("t3", blocked=False)
        await core.add(told)
        for stream in (told, confirmed, other):
            await core.events(stream)
        core.forward(5.1)
        (checkpoint,) = await core.events(confirmed)
        core.restored(2)

        (following,) = await core.events(other)
        for stream in (told, confirmed):
            with pytest.raises(DirectoryUnavailable):
                await core.events(stream)

    assert (checkpoint.what, following.what) == (Checkpoint("store:3"), Checkpoint("store:2"))


async def test_a_stream_that_cannot_be_confirmed_any_more_is_not_left_in_silence() -> None:
    async with living(World(policy=policy(routes=replace(policy().routes, public=(CHAT,))), teams=TEAMS)) as core:
        stream = core.stream()
        await core.add(stream)
        core.block("t3")
        core.forward(5.1)
        await core.events(stream)
        # Nothing of a route that is open to all depends on the directory.
        core.restored(1)
        assert await core.events(stream) == []
        core.forward(5.1)
        with pytest.raises(DirectoryUnavailable):
            await core.events(stream)
