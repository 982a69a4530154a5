"""A hook that promises to be pure is asked once for each token; any other each time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from usherd.authorizer import Authorizer
from usherd.reasons import Reason
from worlds import World, encoding, finished


class Counting:
    def __init__(self, accepts: bool) -> None:
        self.accepts, self.asked = accepts, 0

    async def __call__(self, claims: Mapping[str, object]) -> bool:
        self.asked += 1
        return self.accepts


def authorizer(world: World, hook: Counting, *, pure: bool) -> Authorizer:
    return Authorizer(
        policy=world.policy,
        verifier=world.authorizer._holders._verifier,
        keys=world.keys,
        directory=world.directory,
        clock=lambda: world.now,
        stopwatch=lambda: 0.0,
        new_id=lambda: "x" * 26,
        hook=hook,
        hook_is_pure=pure,
    )


@pytest.mark.parametrize(("pure", "asked"), [(True, 1), (False, 3)])
def test_a_pure_hook_that_accepted_a_token_is_not_asked_about_it_again(pure: bool, asked: int) -> None:
    world, hook = World(), Counting(accepts=True)
    asking = authorizer(world, hook, pure=pure)
    question = world.question(claims={"roles": "Reader"})

    reasons = [finished(asking.authorize(question)).verdict.reason for _ in range(3)]

    assert reasons == [Reason.ALLOWED] * 3
    assert hook.asked == asked
    assert (asking.at_hand(encoding(question), lambda: question) is None) is not pure


def test_a_pure_hook_that_refused_a_token_never_lets_it_pass() -> None:
    world, hook = World(), Counting(accepts=False)
    asking = authorizer(world, hook, pure=True)
    question = world.question(claims={"roles": "Reader"})

    reasons = [finished(asking.authorize(question)).verdict.reason for _ in range(3)]

    assert reasons == [Reason.HOOK_REFUSED] * 3
    assert asking.at_hand(encoding(question), lambda: question) is None


def test_tokens_of_one_holder_are_asked_about_one_by_one() -> None:
    world, hook = World(), Counting(accepts=True)
    asking = authorizer(world, hook, pure=True)

    for claims in ({"roles": "Reader"}, {"roles": "Reader", "jti": "other"}):
        finished(asking.authorize(world.question(claims=claims)))

    assert hook.asked == 2
