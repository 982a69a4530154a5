"""What is missed is loaded once for all who wait for it, and nobody's going away fails the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from usherd.changes import Lookup, Sought
from usherd.errors import DirectoryUnavailable
from usherd.facts import Team, User
from usherd.ports import Wanted
from usherd.store import Changes
from usherd.stores.sql import endings
from usherd.stores.sql.entity_map import UNKNOWN, EntityMap
from usherd.stores.sql.feed import ChangeFeed
from usherd.stores.sql.loads import Loads
from usherd.stores.sql.needs import EVERYONE, gather
from usherd.stores.sql.snapshot import Found
from usherd.stores.sql.touched import Touched

ANN = Lookup(Sought.USER_IDENTITY, ("idp", "ann"))
RED = Lookup(Sought.TEAM, ("", "red"))
ASKED = (Wanted(issuer="idp", user="ann", teams=("red",)),)
ROWS: dict[Lookup, Found] = {ANN: User(id="ann", teams=("red", "blue")), RED: Team(id="red", organization="acme")}


@dataclass
class Store:
    """A store that a test holds up, or lets fail."""

    revision: int = 1
    asked: list[Lookup] = field(default_factory=list)
    snapshots: int = 0
    error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def find(self, lookups: Sequence[Lookup]) -> dict[Lookup, Found]:
        self.asked += lookups
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {key: ROWS.get(key) for key in lookups}

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Store]:
        self.snapshots += 1
        yield self


class Loading:
    def __init__(self, size: int = 100) -> None:
        self.store = Store()
        self.entities = EntityMap(size, 1)
        self.reached = asyncio.Event()
        self.reached.set()
        self.loads = Loads(self.entities, self.store.take, self.reach)

    async def reach(self, revision: int, life: object) -> None:
        await self.reached.wait()

    def begin(self, wanted: Sequence[Wanted] = ASKED) -> asyncio.Task[None]:
        return asyncio.create_task(self.load(wanted))

    async def load(self, wanted: Sequence[Wanted] = ASKED) -> None:
        await self.loads.load(wanted, None, gather(wanted, None, self.entities.peek).missing)


async def quiet() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_load_reads_all_that_follows_from_the_rows_in_one_snapshot() -> None:
    loading = Loading()
    loading.store.gate.set()

    await loading.load()

    names = {"blue", "red"}
    assert {key.key[1] for key in loading.store.asked if key.sought is Sought.TEAM} == names
    assert {key.key[0] for key in loading.store.asked if key.sought is Sought.ORGANIZATION} == {"acme"}
    assert gather(ASKED, None, loading.entities.peek).missing == ()
    assert loading.store.snapshots == 1


async def test_fifty_questions_load_each_look_up_once() -> None:
    loading = Loading()
    waiting = [loading.begin() for _ in range(50)]
    await quiet()
    loading.store.gate.set()

    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)

    assert len(loading.store.asked) == len(set(loading.store.asked))
    assert loading.loads.begun == 1


async def test_what_another_question_needs_besides_is_loaded_beside() -> None:
    loading = Loading()
    first = loading.begin()
    await quiet()
    second = loading.begin([Wanted(issuer="idp", user="bob", teams=("red",))])
    await quiet()
    loading.store.gate.set()

    async with asyncio.timeout(10):
        await asyncio.gather(first, second)

    assert loading.store.asked.count(RED) == loading.store.asked.count(EVERYONE) == 1
    assert Lookup(Sought.USER_IDENTITY, ("idp", "bob")) in loading.store.asked


async def test_the_leader_may_be_cancelled_and_the_others_have_their_rows() -> None:
    loading = Loading()
    leader = loading.begin()
    await quiet()
    others = [loading.begin() for _ in range(49)]
    await quiet()
    leader.cancel()
    others[0].cancel()
    await quiet()
    loading.store.gate.set()

    async with asyncio.timeout(10):
        await asyncio.gather(*others[1:])

    assert leader.cancelled()
    assert loading.loads.begun == 1
    assert loading.entities.peek(ANN) == ROWS[ANN]


async def test_a_failure_is_shared_once_and_the_next_question_tries_again() -> None:
    loading = Loading()
    loading.store.error = DirectoryUnavailable()
    waiting = [loading.begin() for _ in range(50)]
    await quiet()
    loading.store.gate.set()

    async with asyncio.timeout(10):
        errors = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(error) for error in errors} == {DirectoryUnavailable}
    assert len({id(error) for error in errors}) == 50
    assert (loading.loads.begun, len(loading.entities)) == (1, 0)
    loading.store.error = None
    await loading.load()
    assert loading.entities.peek(ANN) == ROWS[ANN]


@pytest.mark.parametrize("error", [DirectoryUnavailable(), RuntimeError("a bug"), TimeoutError()])
async def test_whatever_fails_a_row_is_unavailable_and_never_absent(error: Exception) -> None:
    loading = Loading()
    loading.store.error = error
    loading.store.gate.set()

    with pytest.raises(DirectoryUnavailable):
        await loading.load()

    assert loading.entities.peek(ANN) is UNKNOWN


async def test_a_snapshot_newer_than_the_map_waits_for_the_map() -> None:
    loading = Loading()
    loading.store.gate.set()
    loading.store.revision = 3
    loading.reached.clear()
    load = loading.begin()
    await quiet()
    assert (load.done(), len(loading.entities)) == (False, 0)

    loading.entities.apply(2, [(2, RED)])
    loading.entities.apply(3, [])
    loading.reached.set()
    async with asyncio.timeout(10):
        await load

    # The change is in the snapshot: what it has is kept.
    assert loading.entities.peek(RED) == ROWS[RED]


async def test_what_changes_while_it_is_loaded_is_loaded_again() -> None:
    loading = Loading()
    load = loading.begin()
    await quiet()
    loading.entities.apply(2, [(2, RED)])
    loading.store.gate.set()
    await load

    missing = gather(ASKED, None, loading.entities.peek).missing

    assert missing == (RED,)


async def test_a_question_can_read_all_by_itself() -> None:
    loading = Loading(size=1)
    loading.store.gate.set()
    loading.store.revision = 7

    revision, gathered = await loading.loads.alone(ASKED, None)

    assert (revision, gathered.missing, gathered.found[ANN]) == (7, (), ROWS[ANN])
    assert len(loading.entities) == 0


@pytest.mark.parametrize("ends", [True, False])
async def test_loads_come_to_their_end_and_those_that_do_not_are_cancelled(
    ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "PATIENCE", 10.0 if ends else 0.05)
    loading = Loading()
    load = loading.begin()
    await quiet()

    if ends:
        asyncio.get_running_loop().call_later(0.05, loading.store.gate.set)
    await loading.loads.close()

    if ends:
        await load
        assert loading.entities.peek(ANN) == ROWS[ANN]
    else:
        with pytest.raises(DirectoryUnavailable):
            await load
    assert loading.loads._flights == {}


def _feed(entities: EntityMap) -> ChangeFeed:
    return ChangeFeed(
        Gone(),
        entities,
        max_staleness=5.0,
        every=1.0,
        stopwatch=lambda: 0.0,
        touched_by=partial(Touched.by, bare_ids_for=[None]),
        applied=lambda touched: None,
    )


async def test_a_load_of_a_database_that_was_restored_meanwhile_holds_nobody_up() -> None:
    loading = Loading()
    feeding = _feed(loading.entities)
    loading.loads = Loads(loading.entities, loading.store.take, feeding.reach)
    loading.store.revision = 100
    load = loading.begin()
    await quiet()
    loading.entities.forget(50)
    loading.store.gate.set()
    await quiet()

    assert load.done()
    with pytest.raises(DirectoryUnavailable):
        await load
    loading.store.revision = 50
    async with asyncio.timeout(10):
        await loading.load()
    assert loading.entities.peek(ANN) == ROWS[ANN]


async def test_who_waits_for_a_revision_of_a_database_that_is_restored_waits_no_longer() -> None:
    loading = Loading()
    feeding = _feed(loading.entities)
    loading.loads = Loads(loading.entities, loading.store.take, feeding.reach)
    loading.store.revision = 100
    loading.store.gate.set()
    load = loading.begin()
    await quiet()
    assert not load.done()

    loading.entities.forget(50)
    feeding._tell(None)
    await quiet()

    assert load.done()
    with pytest.raises(DirectoryUnavailable):
        await load


class Gone:
    """A log that nobody reads."""

    async def head(self) -> int:
        raise DirectoryUnavailable

    async def changes(self, after: int, limit: int = 1000) -> Changes:
        raise DirectoryUnavailable
