"""Time and work are bounded, and every place that was taken is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from usherd.errors import Fault, OutOfTime, Overloaded, ShuttingDown
from usherd.rpc.limits import Gate, Limits, within


async def test_work_that_never_waits_gives_its_answer() -> None:
    async def work() -> int:
        return 7

    assert await within(1, work()) == 7


async def test_work_that_waits_gives_its_answer() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        async with asyncio.timeout(20):
            return await asyncio.create_task(asyncio.sleep(0.001, 7))

    assert await within(20, work()) == 7


@pytest.mark.parametrize("early", [True, False])
async def test_an_exception_of_the_work_leaves_as_it_is(early: bool) -> None:
    async def work() -> None:
        if not early:
            await asyncio.sleep(0)
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await within(1, work())


async def test_work_that_takes_too_long_is_cancelled_and_out_of_time() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(OutOfTime) as raised:
        await within(0.01, work())

    assert ended == [True]
    assert raised.value.__cause__ is None


async def test_work_that_may_take_no_time_is_not_begun() -> None:
    begun = []

    async def work() -> None:
        begun.append(True)

    with pytest.raises(OutOfTime):
        await within(0, work())

    assert begun == []


async def test_a_cancelled_caller_cancels_the_work_and_stays_cancelled() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    task = asyncio.create_task(within(10, work()))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


def _gate(capacity: int = 2, queue: int = 8, queue_time: float = 0.05) -> Gate:
    return Gate(Limits(concurrency=capacity, queue=queue, queue_time=queue_time))


async def test_work_within_the_capacity_enters_at_once() -> None:
    gate = _gate(capacity=3)

    await gate.enter(1)
    await gate.enter(2)

    assert gate.inside == 3


async def test_work_beyond_the_capacity_is_overloaded_after_a_short_wait() -> None:
    gate = _gate()
    await gate.enter(2)

    with pytest.raises(Overloaded):
        await gate.enter(1)

    assert gate.inside == 2


async def test_a_full_queue_is_overloaded_at_once() -> None:
    gate = _gate(queue=0, queue_time=60)
    await gate.enter(2)

    with pytest.raises(Overloaded):
        await gate.enter(1)


async def test_those_who_wait_enter_in_their_order() -> None:
    gate = _gate(queue_time=5)
    await gate.enter(2)
    entered: list[str] = []

    async def come(name: str, weight: int) -> None:
        await gate.enter(weight)
        entered.append(name)
        gate.leave(weight)

    tasks = [asyncio.create_task(come(name, weight)) for name, weight in [("heavy", 2), ("light", 1), ("last", 1)]]
    await asyncio.sleep(0)
    gate.leave(1)
    await asyncio.sleep(0.01)
    waiting = list(entered)
    gate.leave(1)
    await asyncio.gather(*tasks)

    assert waiting == []  # a light one does not overtake the heavy one, which would starve
    assert entered == ["heavy", "light", "last"]
    assert gate.inside == 0


async def test_a_batch_heavier_than_the_gate_weighs_all_of_it() -> None:
    gate = _gate(capacity=5)

    assert [gate.weigh(1), gate.weigh(5), gate.weigh(1000)] == [1, 5, 5]


async def test_a_closed_gate_turns_away_those_who_come_and_those_who_wait() -> None:
    gate = _gate(queue_time=60)
    await gate.enter(2)
    waiting = asyncio.create_task(gate.enter(1))
    await asyncio.sleep(0)

    gate.close()

    for late in (waiting, gate.enter(1)):
        with pytest.raises(ShuttingDown):
            await late
    gate.leave(2)
    assert gate.inside == 0


def _cancel(task: asyncio.Task[None], gate: Gate) -> None:
    task.cancel()


def _cancel_as_its_turn_comes(task: asyncio.Task[None], gate: Gate) -> None:
    gate.leave(2)
    task.cancel()
    asyncio.get_running_loop().call_soon(lambda: None)


@pytest.mark.parametrize(("end", "left"), [(_cancel, 2), (_cancel_as_its_turn_comes, 0)])
async def test_a_cancelled_wait_takes_no_place(end: Callable[[asyncio.Task[None], Gate], None], left: int) -> None:
    gate = _gate(queue_time=60)
    await gate.enter(2)
    task = asyncio.create_task(gate.enter(1))
    await asyncio.sleep(0)

    end(task, gate)

    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.inside == left


async def test_whatever_ends_the_work_the_gate_is_empty_in_the_end() -> None:
    gate = _gate(capacity=3, queue=4, queue_time=0.003)

    async def use(work: Callable[[], Awaitable[None]], weight: int) -> None:
        await gate.enter(weight)
        try:
            await work()
        finally:
            gate.leave(weight)

    async def fail() -> None:
        raise ValueError

    works: list[Callable[[], Awaitable[None]]] = [fail, lambda: asyncio.sleep(0.002), lambda: asyncio.sleep(0)]
    tasks = [asyncio.create_task(use(works[n % 3], 1 + n % 3)) for n in range(300)]
    for number, task in enumerate(tasks):
        if number % 7 == 0:
            task.cancel()
        if number % 5 == 0:
            await asyncio.sleep(0)
    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert {type(end) for end in ends} <= {type(None), ValueError, asyncio.CancelledError, Overloaded}
    assert issubclass(Overloaded, Fault)
    assert gate.inside == 0
    await gate.enter(3)
