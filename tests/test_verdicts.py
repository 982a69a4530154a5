"""Remembered verdicts: bounded, and only for the facts that they were judged by."""

from __future__ import annotations

import gc
import inspect

import pytest

from usherd.domain import Limit, Question, Verdict
from usherd.facts import BudgetKind, BudgetOwner, Team
from usherd.ports import Facts
from usherd.reasons import Reason
from worlds import World, finished

READER = {"roles": "Reader"}
RED = Team(id="red", models=("*",), limit=Limit(max_budget_micro_usd=10))


def remembered(world: World) -> int:
    return len(world.authorizer._verdicts)


def test_another_directory_makes_all_of_them_forgotten() -> None:
    world = World(teams=(Team(id="red", models=("*",)),))
    question = world.question(claims={"groups": ["red"]})
    before = world.answer(question).verdict.reason.name

    world.teams = (Team(id="red", models=("o1",)),)
    world.directory.replace(world.rows())
    after = world.answer(question).verdict.reason.name

    assert (before, after, remembered(world)) == ("ALLOWED", "MODEL_NOT_GRANTED", 1)


async def test_they_keep_no_old_directory_alive() -> None:
    world = World(teams=(Team(id="red", models=("*",)),))
    world.answer(world.question(claims={"groups": ["red"]}))
    first = world.directory.at_hand()

    world.directory.replace(world.rows())
    world.answer(world.question(claims={"groups": ["red"]}))

    assert world.authorizer._verdicts._history is world.directory.at_hand().history
    assert not [each for each in gc.get_referrers(first) if each is not locals() and not inspect.isframe(each)]


def test_a_verdict_by_older_facts_does_not_take_the_place_of_a_newer_one() -> None:
    world = World(teams=(RED,))
    question = world.question(claims={"groups": ["red"]})
    old = world.directory.at_hand()
    world.answer(question)
    world.directory.record_usage(BudgetOwner(BudgetKind.TEAM, "red"), 10)
    new = world.answer(question).verdict

    late = verdict_by(world, question, old)

    assert (late.reason, new.reason) == (Reason.ALLOWED, Reason.TEAM_BUDGET_EXHAUSTED)
    assert world.answer(question).verdict is new


def verdict_by(world: World, question: Question, facts: Facts) -> Verdict:
    """The verdict of a question that has read its facts some time ago."""
    authorizer = world.authorizer
    (holder,) = authorizer._holders._known.values()
    return authorizer._verdicts.of(holder, question, authorizer._judge.asked(question), facts).verdict


@pytest.mark.parametrize("size", [0, 1, 3])
def test_there_are_no_more_of_them_than_there_may_be(size: int) -> None:
    world = World()
    world.authorizer._verdicts._size = size

    for subject in range(5):
        world.ask(claims={**READER, "sub": f"s{subject}"})

    assert remembered(world) == size


@pytest.mark.parametrize(
    "asked",
    [
        {"route": "/v1/%2e"},
        {"model": "*"},
        {"method": "get"},
        {"end_user_id": "x" * 4000},
        {"team_id": "x" * 4000},
        {"fallback_models": tuple(f"{number:0256}" for number in range(16))},
    ],
)
def test_what_is_out_of_bounds_is_not_remembered(asked: dict[str, str]) -> None:
    world = World()

    world.ask(claims=READER, **asked)

    assert remembered(world) == 0


def test_an_explained_answer_is_judged_anew() -> None:
    world = World()

    world.ask(claims=READER, explain=True)

    assert remembered(world) == 0


def test_a_verdict_that_depends_on_more_than_answers_list_is_not_remembered() -> None:
    world = World()

    world.ask(claims={**READER, "groups": [f"t{number}" for number in range(100)]})

    assert remembered(world) == 0


def test_a_list_of_models_pushes_nothing_out() -> None:
    world = World()

    finished(world.authorizer.models(world.question(claims=READER)))

    assert remembered(world) == 0
