"""A candidate policy knows what the operator's check said, and never asks it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from usherd.stores.heard_hook import HeardHook, NotHeard


class Check:
    """Refuses one subject, fails for another, and changes what it is given."""

    def __init__(self) -> None:
        self.calls = 0
        self.down = False

    async def __call__(self, claims: Mapping[str, object]) -> bool:
        self.calls += 1
        subject = claims["sub"]
        assert isinstance(claims, dict)
        claims.clear()
        if self.down:
            raise RuntimeError
        return subject != "mallory"


async def test_what_was_said_of_equal_claims_is_said_again_without_asking() -> None:
    check = Check()
    hook = HeardHook(check)

    assert await hook({"sub": "alice", "x": [1, {"y": None}]}) is True
    assert await hook({"sub": "mallory"}) is False

    assert await hook.again({"x": [1, {"y": None}], "sub": "alice"}) is True
    assert await hook.again({"sub": "mallory"}) is False
    assert check.calls == 2


async def test_what_was_never_said_is_no_answer() -> None:
    hook = HeardHook(Check())
    await hook({"sub": "alice"})

    with pytest.raises(NotHeard):
        await hook.again({"sub": "alice", "more": 1})


async def test_a_check_that_fails_has_said_nothing_any_more() -> None:
    check = Check()
    hook = HeardHook(check)
    await hook({"sub": "alice"})
    check.down = True

    with pytest.raises(RuntimeError):
        await hook({"sub": "alice"})
    with pytest.raises(NotHeard):
        await hook.again({"sub": "alice"})
