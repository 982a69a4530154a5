"""A token that is revoked while the directory is read is not allowed by what the directory says since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from usherd.domain import Decision, Effect, VerifiedToken
from usherd.errors import Fault, RevocationsUnavailable
from usherd.ports import Facts, Wanted
from usherd.reasons import Reason
from usherd.watch.judging import Found
from worlds import World

READER = {"roles": "Reader"}


class Revoking:
    """A list on which every token is as soon as the directory is asked for facts."""

    def __init__(self, world: World, *, then: Fault | None = None) -> None:
        self._directory = world.directory
        self._then = then
        self._read = False

    def revoked(self, token: VerifiedToken) -> bool:
        if self._read and self._then is not None:
            raise self._then
        return self._read

    async def facts(self, wanted: Sequence[Wanted]) -> Facts:
        self._read = True
        return await self._directory.facts(wanted)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._directory, name)


def _house(then: Fault | None = None) -> tuple[World, Any]:
    world = World()
    both = Revoking(world, then=then)
    return world, world.made_authorizer(directory=both, revocations=both)


async def test_a_question_is_denied() -> None:
    world, authorizer = _house()
    decision = await authorizer.authorize(world.question(claims=READER))
    assert (decision.verdict.effect, decision.verdict.reason) == (Effect.DENY, Reason.TOKEN_REVOKED)


async def test_each_question_of_a_batch_is_denied() -> None:
    world, authorizer = _house()
    decisions = await authorizer.authorize_many([world.question(claims=READER), world.question(claims=READER)])
    assert [each.verdict.reason for each in decisions if isinstance(each, Decision)] == [Reason.TOKEN_REVOKED] * 2


async def test_no_model_is_listed() -> None:
    world, authorizer = _house()
    page = await authorizer.models(world.question(claims=READER))
    assert page.models == ()
    assert page.denial is not None
    assert page.denial.verdict.reason is Reason.TOKEN_REVOKED


async def test_a_living_decision_begins_with_a_denial_for_good() -> None:
    world, authorizer = _house()
    found = await authorizer.judging.first(world.question(claims=READER), explain=False, at_least=None, patience=1)
    assert isinstance(found, Found)
    assert found.decision.verdict.reason is Reason.TOKEN_REVOKED
    assert found.final


async def test_a_list_that_is_lost_meanwhile_gives_no_answer() -> None:
    world, authorizer = _house(RevocationsUnavailable())
    with pytest.raises(RevocationsUnavailable):
        await authorizer.authorize(world.question(claims=READER))
    world, authorizer = _house(RevocationsUnavailable())
    answers = await authorizer.authorize_many([world.question(claims=READER)])
    assert isinstance(answers[0], RevocationsUnavailable)
