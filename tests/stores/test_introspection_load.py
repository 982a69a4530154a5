"""Issuers are asked about their tokens seldom: once for all who wait, within bounds, not while they are down."""

from __future__ import annotations

import asyncio

import pytest

from stores.asking import TOKEN, Asking, ask, fails
from tools.faults import Fault
from tools.introspection_server import PATH
from usherd.ports import Introspected
from usherd.stores import introspection
from usherd.stores.introspection import IntrospectionEvent


async def test_fifty_callers_ask_once_even_when_the_first_gives_up(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    asking.server.gate.clear()
    callers = [asyncio.create_task(ask(asked)) for _ in range(50)]
    await asking.server.reach(1)
    callers[0].cancel()
    await asyncio.sleep(0)
    asking.server.gate.set()
    said = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(said[0], asyncio.CancelledError)
    assert all(isinstance(each, Introspected) and each.active for each in said[1:])
    assert asking.server.asked == [TOKEN]


async def test_fifty_callers_share_a_failure(asking: Asking) -> None:
    asked = await asking.open()
    await asking.server.fail(Fault.STATUS_500, PATH)

    assert all(await asyncio.gather(*(fails(asked) for _ in range(50))))
    assert len(asking.server.requests) == 1


async def test_whoever_cannot_wait_gets_what_is_known(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()

    assert await fails(asked, patience=0.0)
    assert asking.server.requests == []
    await ask(asked)
    assert (await ask(asked, patience=0.0)).active


async def test_a_caller_that_is_out_of_patience_leaves_the_answer_to_the_others(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    asking.server.gate.clear()

    assert await fails(asked, patience=0.05)
    asking.server.gate.set()
    assert (await ask(asked)).active
    assert asking.server.asked == [TOKEN]


async def test_a_dead_endpoint_is_left_alone_and_one_tries_it_again(asking: Asking) -> None:
    asked = await asking.open()
    await asking.server.fail(Fault.STATUS_500, PATH)
    for number in range(10):
        assert await fails(asked, f"t{number}")
    three_tried = len(asking.server.requests)

    asking.stopwatch.move(1.0)
    assert all(await asyncio.gather(*(fails(asked, f"u{number}") for number in range(10))))
    one_tried = len(asking.server.requests)
    asking.stopwatch.move(1.9)
    assert await fails(asked)
    longer = len(asking.server.requests)

    await asking.server.fail(None, PATH)
    asking.stopwatch.move(0.1)
    works = [await ask(asked, f"v{number}") for number in range(3)]

    assert (three_tried, one_tried, longer) == (3, 4, 4)
    assert [each.active for each in works] == [False] * 3


async def test_what_is_known_counts_while_the_endpoint_is_dead(asking: Asking) -> None:
    asking.server.issue(TOKEN)
    asked = await asking.open()
    await ask(asked)
    await asking.server.fail(Fault.DOWN, PATH)
    for number in range(5):
        assert await fails(asked, f"t{number}")

    assert (await ask(asked)).active
    asking.clock.move(30.0)
    assert await fails(asked)


async def test_a_retry_after_is_obeyed(asking: Asking) -> None:
    asked = await asking.open()
    await asking.server.fail(Fault.STATUS_429, PATH)

    assert await fails(asked)
    asking.stopwatch.move(29.9)
    assert await fails(asked)
    assert len(asking.server.requests) == 1
    asking.stopwatch.move(0.1)
    assert await fails(asked)
    assert len(asking.server.requests) == 2


@pytest.mark.parametrize("raw", [b"<html>", b'{"active": 1}', b" " * 70_000])
async def test_tokens_that_get_no_answer_keep_no_other_from_being_asked_about(asking: Asking, raw: bytes) -> None:
    asked = await asking.open()
    asking.server.raw = raw
    for number in range(10):
        assert await fails(asked, f"t{number}")
    asking.server.raw = None

    assert not (await ask(asked)).active


@pytest.mark.parametrize("fault", [Fault.STATUS_400, Fault.STATUS_403])
async def test_tokens_that_are_refused_an_answer_keep_no_other_from_being_asked_about(
    asking: Asking, fault: Fault
) -> None:
    asked = await asking.open()
    await asking.server.fail(fault, PATH)
    for number in range(10):
        assert await fails(asked, f"t{number}")
    await asking.server.fail(None, PATH)

    assert not (await ask(asked)).active
    assert asking.events[0] == (
        IntrospectionEvent.FAILED,
        {"issuer": "idp", "cause": "request_refused", "failures": 1},
    )


async def test_only_so_many_are_asked_about_at_a_time(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection, "MAX_ASKED", 5)
    monkeypatch.setattr(introspection, "MAX_AT_ONCE", 2)
    asked = await asking.open()
    asking.server.gate.clear()
    callers = [asyncio.create_task(fails(asked, f"t{number}")) for number in range(8)]
    await asking.server.reach(2)
    await asyncio.sleep(0.05)
    at_once = len(asking.server.requests)
    turned_away = sum(caller.done() for caller in callers)
    asking.server.gate.set()

    assert sum(await asyncio.gather(*callers)) == 3
    assert (at_once, turned_away, len(asking.server.requests)) == (2, 3, 5)


async def test_only_so_many_wait(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection, "MAX_WAITING", 3)
    asked = await asking.open()
    asking.server.gate.clear()
    callers = [asyncio.create_task(fails(asked)) for _ in range(5)]
    await asyncio.sleep(0.05)
    asking.server.gate.set()

    assert sum(await asyncio.gather(*callers)) == 2
