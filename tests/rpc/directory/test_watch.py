"""Whoever watches hears of every change once and in order, and of nothing that is somebody's own affair."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from tools.directory_world import Client, Failed, directory
from tools.memory_store import MemoryStore
from tools.rpc_world import calling, ready, running
from usher.v1 import change_pb2
from usherd.changes import Listening, News
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.directory import head, watch
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.rows import Names
from usherd.rpc.limits import Limits

EMAIL = "canary@example.com"


async def beginning(call: Client) -> str:
    """The revision of a store in which nothing has happened yet."""
    return f"{call.store.id}:{await call.store.head()}"


async def until_caught_up(events: AsyncIterator[Any]) -> list[Any]:
    """The changes up to the checkpoint at which there are no more."""
    found = []
    async for event in events:
        if event.WhichOneof("event") == "change":
            found.append(event.change)
        elif event.checkpoint.caught_up:
            return found
    raise AssertionError("the stream ended")


async def filled(call: Client) -> None:
    user = {"id": "ann", "email": EMAIL, "sso_ids": ["canary-sso"]}
    user["identities"] = [{"issuer": "idp", "subject": "canary-subject"}]
    await call("CreateUser", user=user)
    await call("CreateTeam", team={"id": "3:r/ed", "issuer": "idp", "limit": {"max_budget_micro_usd": 5}})
    await call("CreateMembership", membership={"team_id": "3:r/ed", "user_id": "ann"})
    await call("BlockUser", id="ann")
    await call("RecordUsage", usages=[{"owner": {"team_id": "3:r/ed"}, "micro_usd": 6}])
    await call("DeleteTeam", id="3:r/ed")


def told(change: Any) -> tuple[str, str, str, str]:
    kind, action = change_pb2.RowKind.Name(change.kind)[9:], change_pb2.DirectoryChange.Action.Name(change.action)[7:]
    return kind, change.team_id, change.id, action


async def test_from_the_beginning_every_change_is_told_without_anything_of_the_rows(call: Client) -> None:
    begin = await beginning(call)
    await filled(call)
    async with aclosing(call.watch(after_revision=begin)) as events:
        changes = await until_caught_up(events)

    # A store may tell, too, that a place has made another user of somebody.
    heard = iter([told(each) for each in changes])
    for expected in (
        ("USER", "", "ann", "CREATED"),
        ("TEAM", "", "3:r/ed", "CREATED"),
        ("MEMBERSHIP", "3:r/ed", "ann", "CREATED"),
        ("USER", "", "ann", "UPDATED"),
        ("BUDGET", "", "team:3:r/ed", "UPDATED"),
    ):
        assert expected in heard
    gone = set(heard)
    assert {("TEAM", "", "3:r/ed", "DELETED"), ("MEMBERSHIP", "3:r/ed", "ann", "DELETED")} <= gone
    numbers = [int(each.revision.rpartition(":")[2]) for each in changes]
    assert numbers == sorted(numbers)
    assert all(each.committed_at.seconds > 1_600_000_000 for each in changes)
    assert "canary" not in str(changes)


async def test_what_comes_is_told_soon_and_from_a_checkpoint_on_nothing_is_told_twice_or_lost(call: Client) -> None:
    await filled(call)
    loop = asyncio.get_running_loop()
    async with aclosing(call.watch()) as events:
        assert await until_caught_up(events) == []
        began = loop.time()
        first = await call("CreateOrganization", organization={"id": "acme"})
        heard = await until_caught_up(events)
        took = loop.time() - began
    await call("BlockOrganization", id="acme")
    async with aclosing(call.watch(after_revision=first.revision)) as events:
        missed = await until_caught_up(events)

    assert [told(each) for each in heard] == [("ORGANIZATION", "", "acme", "CREATED")]
    assert heard[0].revision == first.revision
    assert [told(each) for each in missed] == [("ORGANIZATION", "", "acme", "UPDATED")]
    assert took < head.LOOK_EVERY + 3


async def test_only_the_kinds_that_are_asked_for_are_told(call: Client) -> None:
    begin = await beginning(call)
    await filled(call)
    async with aclosing(call.watch(after_revision=begin, kinds=[3, 7])) as events:
        changes = await until_caught_up(events)

    assert {told(each)[0] for each in changes} == {"USER", "BUDGET"}


async def test_long_logs_are_told_whole_with_checkpoints_at_whole_transactions(call: Client) -> None:
    begin = await beginning(call)
    for number in range(3):
        edits = [{"put": {"end_user": {"id": f"{number}-{each}"}}} for each in range(600)]
        await call("ApplyEdits", edits=edits)
    seen: dict[str, int] = {}
    async with aclosing(call.watch(after_revision=begin)) as events:
        async for event in events:
            if event.WhichOneof("event") == "change":
                seen[event.change.revision] = seen.get(event.change.revision, 0) + 1
            else:
                assert seen[event.checkpoint.revision] == 600
                if event.checkpoint.caught_up:
                    break

    assert list(seen.values()) == [600] * 3


async def test_silence_ends_with_a_checkpoint(call: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SILENCE", 0.05)
    await filled(call)
    checkpoints = []
    async with aclosing(call.watch()) as events:
        async for event in events:
            checkpoints.append(event.checkpoint)
            if len(checkpoints) == 3:
                break

    assert [each.caught_up for each in checkpoints] == [True] * 3
    assert len({each.revision for each in checkpoints}) == 1


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("nonsense", "INVALID_ARGUMENT FIELD_INVALID"),
        ("memory", "INVALID_ARGUMENT FIELD_INVALID"),
        ("STORE:999999", "INVALID_ARGUMENT FIELD_INVALID"),
        ("elsewhere:1", "FAILED_PRECONDITION REVISION_OF_OTHER_STORE"),
    ],
)
async def test_a_revision_that_is_none_of_this_store_is_refused(call: Client, after: str, reason: str) -> None:
    with pytest.raises(Failed, match=reason):
        async for _ in call.watch(after_revision=after.replace("STORE", call.store.id)):
            pass


@pytest.mark.parametrize(("kinds", "field"), [([0], "kinds[0]"), ([1, 99], "kinds[1]"), ([1, 1], "kinds")])
async def test_kinds_that_are_none_are_refused(call: Client, kinds: list[int], field: str) -> None:
    with pytest.raises(Failed) as failed:
        async for _ in call.watch(kinds=kinds):
            pass

    assert (failed.value.reason, failed.value.field) == ("FIELD_INVALID", field)


async def test_changes_that_are_no_longer_kept_are_not_passed_over() -> None:
    store = MemoryStore()
    async with directory(store) as call:
        await filled(call)
        store.compact()

        with pytest.raises(Failed, match="OUT_OF_RANGE CHANGES_COMPACTED"):
            async for _ in call.watch(after_revision="memory:1"):
                pass


async def test_so_many_watch_and_no_more_and_whoever_goes_makes_room() -> None:
    async with directory(limits=Limits(watchers=1)) as call:
        async with aclosing(call.watch()) as events:
            await anext(events)
            with pytest.raises(Failed, match="RESOURCE_EXHAUSTED OVERLOADED"):
                await anext(call.watch())
        for _ in range(50):
            try:
                await anext(call.watch())
            except Failed:
                await asyncio.sleep(0.05)
            else:
                break
        else:
            raise AssertionError("there is still no room")


async def test_the_end_of_the_server_ends_the_streams() -> None:
    readiness = ready()
    async with directory(readiness=readiness) as call:
        events = call.watch()
        await anext(events)
        readiness.end()

        with pytest.raises(Failed, match="UNAVAILABLE SHUTTING_DOWN"):
            async for _ in events:
                pass


async def test_news_wake_whoever_watches_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "LOOK_ANYWAY", 600)
    monkeypatch.setattr(watch, "SILENCE", 600)
    store, listening = MemoryStore(), set[Listening]()

    def listen(hear: Listening) -> Any:
        listening.add(hear)
        return lambda: listening.discard(hear)

    kept = KeptDirectory(store=store, names=lambda: Names(("idp",)), listen=listen)
    admission = Admission(Terms(may_manage=True))
    async with running(directory=kept, begins=admission.begins) as server, calling(server) as channel:
        call = Client(channel, store)
        async with aclosing(call.watch()) as events:
            await until_caught_up(events)
            assert len(listening) == 1
            await call("CreateOrganization", organization={"id": "acme"})
            for hear in listening:
                hear(News(await store.head(), None, (), 0.0))
            async with asyncio.timeout(10):
                assert len(await until_caught_up(events)) == 1
        for _ in range(100):
            if not listening:
                break
            await asyncio.sleep(0.02)
        assert not listening
