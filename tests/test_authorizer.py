"""What the authorizer promises about waiting, hooks and what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.errors import Precondition, RevisionNotReached
from worlds import World

READER = {"roles": "Reader"}


async def test_a_revision_that_is_not_reached_in_time_is_a_fault_of_its_own() -> None:
    world = World()

    with pytest.raises(RevisionNotReached):
        await world.authorizer.authorize(world.question(claims=READER), at_least=("store", 2), patience=0.01)


async def test_a_revision_of_another_store_is_refused() -> None:
    world = World()

    with pytest.raises(Precondition):
        await world.authorizer.authorize(world.question(claims=READER), at_least=("other", 1))


async def test_an_answer_says_which_revision_it_read() -> None:
    world = World()
    question = world.question(claims=READER)

    before = world.answer(question).revision
    world.directory.replace(world.rows())
    after = (await world.authorizer.authorize(question, at_least=("store", 2))).revision

    assert (before, after) == ("store:1", "store:2")


def test_a_hook_cannot_change_a_remembered_token() -> None:
    seen: list[Any] = []

    async def hook(claims: Any) -> bool:
        seen.append(list(claims["roles"]))
        claims["roles"].append("Writer")
        claims["scope"] = "admin"
        return True

    world = World(hook=hook)
    question = world.question(claims={"roles": ["Reader"]})

    principals = [world.answer(question).verdict.principal for _ in range(2)]

    assert seen == [["Reader"], ["Reader"]]
    assert principals[0] == principals[1]


@pytest.mark.parametrize(("lifetime", "kept"), [(600, 60.0), (20, 20.0), (0, 0.0), (-20, 0.0)])
def test_an_answer_is_kept_no_longer_than_the_token_lives_and_never_longer_than_the_bound(
    lifetime: int, kept: float
) -> None:
    world = World()

    decision = world.ask(claims={**READER, "exp": int(world.now) + lifetime, "iat": int(world.now) - 60})

    assert decision.verdict.reason.name == "ALLOWED"
    assert (decision.valid_until - world.now, decision.cacheable) == (kept, kept > 0)


@pytest.mark.parametrize(("left", "kept"), [(7.0, 7.0), (0.0, 0.0)])
def test_an_answer_is_kept_no_longer_than_the_key_is_trusted(left: float, kept: float) -> None:
    world = World()
    (key,) = world.keys.sets["idp"]
    world.keys.lasting[key.thumbprint] = left

    decision = world.ask(claims=READER)

    assert decision.verdict.reason.name == "ALLOWED"
    assert (decision.valid_until - world.now, decision.cacheable) == (kept, kept > 0)


def test_refusals_of_the_token_are_not_to_be_kept() -> None:
    assert not World().ask(token="x").cacheable
    assert World().ask(claims={}).cacheable


def test_a_refusal_depends_on_the_issuer_whose_rules_refused() -> None:
    world = World()

    def depends_on(**claims: Any) -> list[tuple[str, str]]:
        return [(each.kind.name, each.id) for each in world.ask(claims=claims).verdict.depends_on]

    assert depends_on(aud="another") == [("ISSUER", "idp"), ("POLICY", "policy-digest")]
    assert depends_on(iss="https://stranger.example") == [("POLICY", "policy-digest")]
    world.keys.sets["idp"] = []
    assert depends_on() == [("KEY", "idp/"), ("ISSUER", "idp"), ("POLICY", "policy-digest")]


def test_a_genuine_token_that_is_refused_later_is_what_the_answer_depends_on() -> None:
    decision = World().ask(claims={"groups": 5})

    assert decision.verdict.reason.name == "CLAIM_INVALID"
    assert [each.kind.name for each in decision.verdict.depends_on] == ["TOKEN", "KEY", "ISSUER", "POLICY"]


def test_checks_that_nothing_was_set_up_for_are_not_told_as_passed() -> None:
    async def hook(_claims: object) -> bool:
        return True

    def outcomes(world: World) -> dict[str, str]:
        explanation = world.ask(claims=READER, explain=True).verdict.explanation
        assert explanation is not None
        return {each.check: each.outcome.name for each in explanation.checks}

    bare, hooked = outcomes(World()), outcomes(World(hook=hook))

    assert (bare["token"], bare["revocation"], bare["hook"]) == ("PASSED", "NOT_APPLICABLE", "NOT_APPLICABLE")
    assert (hooked["revocation"], hooked["hook"]) == ("NOT_APPLICABLE", "PASSED")
