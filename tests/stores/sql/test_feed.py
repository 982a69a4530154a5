"""The feed makes the map what the log says, in order; it fails without ending, and says so."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import pytest

from stores.support import Hands
from usherd.changes import Change, ChangeKind, Lookup, RowKind, Sought
from usherd.errors import ChangesCompacted, DirectoryUnavailable, FieldInvalid
from usherd.store import Changes
from usherd.stores.sql.entity_map import EntityMap
from usherd.stores.sql.feed import ChangeFeed
from usherd.stores.sql.touched import Touched


class Log:
    """A log in memory, of which a test takes away what it likes."""

    def __init__(self) -> None:
        self.entries: list[Change] = []
        self.last = 1
        self.life = 0.0
        self.compacted = 1
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0
        self.limit = 1000
        self.endless = 0
        """The revision whose changes nobody can read in time."""

    def write(self, *names: str) -> None:
        self.last += 1
        self.entries += [
            Change(
                self.last,
                RowKind.USER,
                name,
                ChangeKind.UPDATED,
                (Lookup(Sought.USER, (name,)),),
                self.life + self.last,
            )
            for name in names
        ]

    async def head(self) -> int:
        return self.last

    async def changes(self, after: int, limit: int = 1000) -> Changes:
        self.reads += 1
        await self.gate.wait()
        if after < self.endless <= self.last:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        if after < self.compacted:
            raise ChangesCompacted
        if after > self.last:
            raise FieldInvalid("after", "a revision that there has been")
        through = min(self.last, after + self.limit)
        mark = next((each.committed_at for each in self.entries if each.revision == after), None)
        found = tuple(each for each in self.entries if after < each.revision <= through)
        return Changes(found, through, self.last, mark)

    def restored(self, revision: int) -> None:
        """What was committed since is lost, and later than all of it is what is committed from now on."""
        self.last, self.entries = revision, [each for each in self.entries if each.revision <= revision]
        self.life += 1000.0


class Feeding:
    """A feed with a log, a map and a clock of its own."""

    def __init__(self, **changes: float) -> None:
        self.log = Log()
        self.clock = Hands(now=100.0)
        self.entities = EntityMap(100, 1)
        self.applied: list[tuple[int, list[str] | None]] = []
        self.told: list[tuple[bool, dict[str, str | int]]] = []
        self.deaf: Exception | None = None
        values: dict[str, float] = {"max_staleness": 5.0, "every": 0.01} | changes
        self.feed = ChangeFeed(
            self.log,
            self.entities,
            stopwatch=self.clock,
            touched_by=partial(Touched.by, bare_ids_for=[None]),
            applied=self.hear,
            tell=self.tell,
            **values,
        )

    def hear(self, touched: Touched | None) -> None:
        found = None if touched is None else [each.id for each in touched.changes]
        self.applied.append((self.entities.revision, found))
        if self.deaf is not None:
            raise self.deaf

    def tell(self, works: bool, fields: Mapping[str, str | int]) -> None:
        self.told.append((works, dict(fields)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.timeout(20), self.feed.running():
            yield


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_changes_are_applied_in_order_and_then_told() -> None:
    feeding = Feeding()
    feeding.log.write("ann")
    feeding.log.write("bob", "cid")

    async with feeding.running():
        await feeding.feed.reach(3)
        feeding.log.write("dan")
        await feeding.feed.reach(4)

    assert feeding.applied == [(3, ["ann", "bob", "cid"]), (4, ["dan"])]
    assert feeding.feed.changes == 4


async def test_a_long_stretch_is_applied_in_several_steps_before_the_map_counts_as_true() -> None:
    feeding = Feeding()
    feeding.log.limit = 2
    for number in range(7):
        feeding.log.write(str(number))

    async with feeding.running():
        await feeding.feed.reach(8)

    assert [revision for revision, _ in feeding.applied] == [3, 5, 7, 8]


async def test_being_asked_for_a_revision_wakes_it() -> None:
    feeding = Feeding(every=3600.0)
    async with feeding.running():
        await feeding.feed.catch_up()
        feeding.log.write("ann")
        await feeding.feed.reach(2)

    assert feeding.applied == [(2, ["ann"])]


async def test_who_asks_for_what_is_not_there_yet_does_not_keep_it_busy() -> None:
    feeding = Feeding(every=3600.0)
    async with feeding.running():
        await feeding.feed.catch_up()
        waiting = asyncio.create_task(feeding.feed.reach(2))
        await asyncio.sleep(0.05)
        reads = feeding.log.reads
        waiting.cancel()

    assert reads <= 3


async def test_it_was_never_true_before_it_was_read() -> None:
    feeding = Feeding()
    feeding.log.gate.clear()
    async with feeding.running():
        await asyncio.sleep(0.01)
        assert (feeding.feed.lag, feeding.feed.fresh) == (math.inf, False)
        with pytest.raises(DirectoryUnavailable):
            feeding.feed.check()


async def test_it_is_as_old_as_the_beginning_of_the_last_read_to_the_head() -> None:
    feeding = Feeding(every=3600.0)
    async with feeding.running():
        await feeding.feed.catch_up()
        feeding.log.gate.clear()
        feeding.feed.wake()
        await asyncio.sleep(0.01)
        feeding.clock.move(4.0)
        feeding.log.gate.set()
        await asyncio.sleep(0.01)
        # What was read then may have been true four seconds ago only.
        lag = feeding.feed.lag
        feeding.clock.move(1.0)
        assert feeding.feed.fresh
        feeding.clock.move(0.1)
        assert not feeding.feed.fresh

    assert lag == 4.0


@pytest.mark.parametrize("error", [DirectoryUnavailable(), OSError(), RuntimeError("a bug"), KeyError("x")])
async def test_whatever_fails_it_goes_on_and_tells_that_once(error: Exception) -> None:
    feeding = Feeding()
    async with feeding.running():
        await feeding.feed.catch_up()
        feeding.log.error = error
        reads = feeding.log.reads
        await until(lambda: feeding.log.reads >= reads + 4)
        feeding.log.error = None
        feeding.log.write("ann")
        await feeding.feed.reach(2)
        await feeding.feed.catch_up()

    assert [works for works, _ in feeding.told] == [False, True]
    assert "a bug" not in str(feeding.told)


async def test_a_listener_that_fails_against_its_promise_does_not_end_it() -> None:
    feeding = Feeding()
    feeding.deaf = RuntimeError()
    feeding.log.write("ann")
    async with feeding.running():
        await feeding.feed.reach(2)
        feeding.deaf = None
        feeding.log.write("bob")
        await feeding.feed.reach(3)

    assert feeding.applied == [(2, ["ann"]), (3, ["bob"])]


async def test_a_read_that_hangs_is_given_up() -> None:
    feeding = Feeding(max_staleness=0.05)
    feeding.log.gate.clear()
    async with feeding.running():
        await until(lambda: feeding.log.reads >= 2)
        feeding.log.gate.set()
        await feeding.feed.catch_up()

    assert feeding.told[0] == (False, {"cause": "TimeoutError", "failures": 1})


async def test_what_takes_too_long_to_be_read_is_not_tried_for_ever() -> None:
    feeding = Feeding(max_staleness=0.05)
    feeding.log.write("huge")
    feeding.log.endless = 2

    async with feeding.running():
        await feeding.feed.reach(2)
        feeding.log.write("ann")
        await feeding.feed.reach(3)

    assert feeding.applied == [(2, None), (3, ["ann"])]
    assert [works for works, _ in feeding.told] == [False, True]


async def test_behind_what_is_kept_of_the_log_everything_is_dropped_and_told() -> None:
    feeding = Feeding()
    for number in range(5):
        feeding.log.write(str(number))
    feeding.log.compacted = 3
    with feeding.entities.fence() as fence:
        feeding.entities.store(1, {Lookup(Sought.USER, ("zoe",)): None}, fence)

    async with feeding.running():
        await feeding.feed.reach(6)

    assert (len(feeding.entities), feeding.feed.resyncs) == (0, 1)
    assert feeding.applied == [(6, None)]


async def test_a_log_that_has_lost_its_end_makes_it_begin_anew() -> None:
    feeding = Feeding()
    feeding.log.write("ann")
    feeding.log.write("bob")
    async with feeding.running():
        await feeding.feed.reach(3)
        feeding.log.last, feeding.log.entries = 2, feeding.log.entries[:1]
        feeding.feed.wake()
        await until(lambda: feeding.entities.revision == 2)
        feeding.log.write("cid")
        await feeding.feed.reach(3)

    assert feeding.applied == [(3, ["ann", "bob"]), (2, None), (3, ["cid"])]


@pytest.mark.parametrize("further", [0, 1, 3])
async def test_a_log_that_was_restored_and_went_on_as_far_is_another_one(further: int) -> None:
    feeding = Feeding()
    for name in ("ann", "bob"):
        feeding.log.write(name)
    async with feeding.running():
        await feeding.feed.reach(3)
        feeding.log.restored(2)
        feeding.log.write("cid")
        for number in range(further):
            feeding.log.write(str(number))
        feeding.feed.wake()
        await until(lambda: feeding.feed.resyncs == 1)
        feeding.log.write("dan")
        await feeding.feed.reach(4 + further)

    assert feeding.applied == [(3, ["ann", "bob"]), (3 + further, None), (4 + further, ["dan"])]


async def test_a_log_that_has_forgotten_what_was_read_last_may_be_another_one() -> None:
    feeding = Feeding()
    feeding.log.write("ann")
    async with feeding.running():
        await feeding.feed.reach(2)
        # As of a database that was restored, written to as far and compacted: two have the same revisions.
        feeding.log.compacted, feeding.log.entries = 2, []
        feeding.feed.wake()
        await until(lambda: feeding.feed.resyncs == 1)
        feeding.log.write("bob")
        await feeding.feed.reach(3)

    assert feeding.applied == [(2, ["ann"]), (2, None), (3, ["bob"])]
