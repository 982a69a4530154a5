"""The operator's own check answers, is cut off, or fails; it never holds the house up unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from stores.support import Hands
from usherd.stores.operator_hook import TOLD_EVERY, HookExited, OperatorHook

Claims = Mapping[str, object]


def hook(
    call: Callable[[Claims], object], *, clock: Hands | None = None, told: list[float] | None = None
) -> OperatorHook:
    on_slow = (told if told is not None else []).append
    return OperatorHook(call, timeout=0.05, pure=False, stopwatch=clock or Hands(), on_slow=on_slow)


@pytest.mark.parametrize(
    ("answer", "accepted"), [(True, True), (False, False), (1, False), ("yes", False), (None, False)]
)
async def test_only_true_is_a_yes(answer: object, accepted: bool) -> None:
    async def awaited(claims: Claims) -> object:
        await asyncio.sleep(0)
        return answer

    assert await hook(lambda claims: answer)({}) is accepted
    assert await hook(awaited)({}) is accepted


async def test_the_check_is_given_the_claims() -> None:
    assert await hook(lambda claims: claims["sub"] == "alice")({"sub": "alice"})


async def test_a_check_that_awaits_too_long_is_cut_off() -> None:
    async def endless(claims: Claims) -> bool:
        await asyncio.Event().wait()
        return True

    made = OperatorHook(endless, timeout=0.01, pure=False, stopwatch=asyncio.get_running_loop().time)

    with pytest.raises(TimeoutError):
        await made({})


async def test_what_a_check_raises_leaves_as_it_is() -> None:
    def broken(claims: Claims) -> bool:
        raise ValueError("no")

    made = hook(broken)

    with pytest.raises(ValueError, match="no"):
        await made({})


async def test_a_check_cannot_end_the_process() -> None:
    def leaving(claims: Claims) -> bool:
        raise SystemExit(1)

    with pytest.raises(HookExited):
        await hook(leaving)({})


async def test_a_check_that_computes_too_long_is_answered_and_told_once_a_minute() -> None:
    clock, told = Hands(), []

    def slow(claims: Claims) -> bool:
        clock.move(0.2)
        return True

    made = hook(slow, clock=clock, told=told)

    assert await made({})
    assert await made({})
    assert len(told) == 1
    clock.move(TOLD_EVERY)
    assert await made({})

    assert told == pytest.approx([0.2, 0.2])


async def test_a_check_in_time_is_not_told() -> None:
    told: list[float] = []
    made = hook(lambda claims: True, told=told)

    await made({})

    assert told == []
