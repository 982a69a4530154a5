"""Living decisions write nothing, and a stream of subscriptions does not take the place of questions that do."""

from __future__ import annotations

from dataclasses import replace

from tools.living_core import TEAMS, Core, kinds, living
from usherd.facts import User, Write, WriteKind
from usherd.policy import ProvisionRules, UserRules
from usherd.watch.events import Cause, Resync
from worlds import CHAT, World, policy

PROVISIONING = replace(policy(), users=UserRules(routes=(CHAT,), provision=ProvisionRules(teams=True)))
ALICE = User(id="alice", models=("gpt-4o",))


def world() -> World:
    return World(policy=PROVISIONING, teams=TEAMS)


async def written(core: Core) -> None:
    await core.world.directory.write([Write(WriteKind.CREATE_USER, ALICE)])


async def test_whoever_has_yet_to_be_written_has_no_decision_to_keep() -> None:
    async with living(world()) as core:
        stream = core.hub.open(core.told, 100, only_written=True)
        await core.add(stream)
        (told,) = await core.events(stream)
        left = len(stream)
        await written(core)
        await core.add(stream, 2)
        kept = await core.events(stream)

    assert told.what == Resync(Cause.DIRECTORY)
    assert (told.id, told.about, left) == (1, "", 0)
    assert kinds(kept) == ["Decision"]
    assert len(core.told.decisions) == 1


async def test_whoever_has_to_be_written_anew_is_kept_no_longer() -> None:
    async with living(world()) as core:
        stream = core.hub.open(core.told, 100, only_written=True)
        await written(core)
        await core.add(stream)
        first = await core.events(stream)
        core.world.directory.replace(core.world.rows())
        (told,) = await core.events(stream)

    assert kinds(first) == ["Decision"]
    assert told.what == Resync(Cause.DIRECTORY)
    assert told.about == first[0].what.decision_id
    assert len(stream) == 0


async def test_a_question_that_is_watched_by_itself_is_decided_without_a_write() -> None:
    async with living(world()) as core:
        stream = core.stream()
        await core.add(stream)
        told = await core.events(stream)

    assert kinds(told) == ["Decision"]
    assert core.world.directory.at_hand().tables.users.get("alice") is None
