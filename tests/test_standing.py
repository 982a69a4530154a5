"""Answers that are given again: bounded, only for the directory that they were judged by, and without the question."""

from __future__ import annotations

import gc
import inspect

import pytest

from usherd.domain import Question
from usherd.facts import Team
from usherd.standing import MAX_SAID
from worlds import World

READER = {"roles": "Reader"}


def told(world: World, said: bytes, question: Question | None = None) -> None:
    question = question or world.question(claims=READER)
    world.answer(question)
    assert world.authorizer.at_hand(question, said) is not None


def test_other_bytes_are_another_question() -> None:
    world = World()
    told(world, b"one", world.question(claims=READER, model="gpt-4o"))
    told(world, b"two", world.question(claims=READER, model="gpt-4o-mini"))

    models = [answer and answer.verdict.resolved_model for answer in map(world.authorizer.again, (b"one", b"two"))]

    assert models == ["gpt-4o", "gpt-4o-mini"]
    assert world.authorizer.again(b"three") is None


def test_an_answer_is_told_again_with_an_id_of_its_own() -> None:
    world = World()
    told(world, b"said")

    one, other = world.authorizer.again(b"said"), world.authorizer.again(b"said")

    assert one is not None
    assert other is not None
    assert one.decision_id != other.decision_id
    assert one.verdict is other.verdict


def test_another_directory_makes_all_of_them_forgotten() -> None:
    world = World()
    told(world, b"one")
    told(world, b"two")

    world.directory.replace(World(teams=(Team(id="new"),)).rows())
    told(world, b"three")

    assert [world.authorizer.again(said) is not None for said in (b"one", b"two", b"three")] == [False, False, True]
    assert len(world.authorizer._standing) == 1


async def test_they_keep_no_old_directory_alive() -> None:
    world = World()
    told(world, b"one")
    first = world.directory.at_hand()

    world.directory.replace(World(teams=(Team(id="new"),)).rows())
    told(world, b"two")

    assert not [each for each in gc.get_referrers(first) if each is not locals() and not inspect.isframe(each)]


@pytest.mark.parametrize("size", [0, 1, 3])
def test_there_are_no_more_of_them_than_there_may_be(size: int) -> None:
    world = World()
    world.authorizer._standing._cache._size = size

    for number in range(5):
        told(world, bytes([number]))

    assert len(world.authorizer._standing) == size


@pytest.mark.parametrize(("size", "is_kept"), [(MAX_SAID, True), (MAX_SAID + 1, False)])
def test_long_questions_are_found_anew(size: int, is_kept: bool) -> None:
    world = World()

    told(world, bytes(size))

    assert (world.authorizer.again(bytes(size)) is not None) == is_kept
    assert len(world.authorizer._standing) == is_kept


def test_what_was_said_is_not_kept() -> None:
    world = World()
    said = b"a question with a token in it"
    told(world, said)

    kept = [each for each in gc.get_objects() if isinstance(each, (dict, list, tuple)) and said in tuple(each)]

    assert world.authorizer.again(said) is not None
    assert not [each for each in kept if each is not said and not inspect.isframe(each)]
