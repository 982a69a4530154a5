"""Answers that are known by their question's encoding: bounded, true, and with nothing of the token in them."""

from __future__ import annotations

import gc
import sys
import weakref
from dataclasses import replace

import pytest

from usherd.domain import Limit, Question
from usherd.facts import BudgetKind, BudgetOwner, Team, User, Write, WriteKind
from usherd.history import Standing
from usherd.judge import Genuine
from usherd.known_answers import MAX_ENCODED, KnownAnswer, KnownAnswers
from worlds import World, finished

READER = {"roles": "Reader"}


def unread() -> Question:
    raise AssertionError("the question was read")


def learn(world: World, encoded: bytes, question: Question | None = None) -> None:
    question = question or world.question(claims=READER)
    world.answer(question)
    assert world.authorizer.at_hand(encoded, lambda: question) is not None


def is_known(world: World, encoded: bytes) -> bool:
    try:
        return world.authorizer.at_hand(encoded, unread) is not None
    except AssertionError:
        return False


def test_other_bytes_are_another_question() -> None:
    world = World()
    learn(world, b"one", world.question(claims=READER, model="gpt-4o"))
    learn(world, b"two", world.question(claims=READER, model="gpt-4o-mini"))

    answers = [world.authorizer.at_hand(encoded, unread) for encoded in (b"one", b"two")]

    assert [answer and answer.verdict.resolved_model for answer in answers] == ["gpt-4o", "gpt-4o-mini"]
    assert not is_known(world, b"three")


def test_an_answer_is_told_again_with_an_id_of_its_own() -> None:
    world = World()
    learn(world, b"encoded")

    one, other = world.authorizer.at_hand(b"encoded", unread), world.authorizer.at_hand(b"encoded", unread)

    assert one is not None
    assert other is not None
    assert one.decision_id != other.decision_id
    assert one.verdict is other.verdict


def test_another_directory_makes_all_of_them_forgotten() -> None:
    world = World()
    learn(world, b"one")
    learn(world, b"two")

    world.directory.replace(World(teams=(Team(id="new"),)).rows())
    learn(world, b"three")

    assert [is_known(world, encoded) for encoded in (b"one", b"two", b"three")] == [False, False, True]


RED = Team(id="red", models=("*",), limit=Limit(max_budget_micro_usd=10))


def test_one_stays_known_while_others_change() -> None:
    world = World(teams=(RED, replace(RED, id="blue")))
    learn(world, b"red", world.question(claims={"groups": ["red"]}))
    learn(world, b"blue", world.question(claims={"groups": ["blue"]}))

    world.directory.record_usage(BudgetOwner(BudgetKind.TEAM, "red"), 10)
    finished(world.directory.write([Write(WriteKind.CREATE_USER, User(id="new"))]))

    assert (is_known(world, b"red"), is_known(world, b"blue")) == (False, True)
    answer = world.authorizer.at_hand(b"blue", unread)
    assert answer is not None
    # It is an answer of now.
    assert answer.revision == "store:3"


def test_one_is_no_longer_known_once_somebody_new_is_its_holder() -> None:
    world = World()
    learn(world, b"encoded")

    finished(world.directory.write([Write(WriteKind.CREATE_USER, User(id="alice", teams=("red",)))]))

    assert not is_known(world, b"encoded")


def test_they_keep_no_old_directory_alive_whatever_is_asked_next() -> None:
    world = World()
    learn(world, b"one")

    world.directory.replace(World(teams=(Team(id="new"),)).rows())
    assert not is_known(world, b"another")

    known = world.authorizer._at_hand._known
    assert known._history is world.directory.at_hand().history
    assert len(known) == 0


@pytest.mark.parametrize("size", [0, 1, 3])
def test_there_are_no_more_of_them_than_there_may_be(size: int) -> None:
    world = World()
    facts, decision = world.directory.at_hand(), world.ask(claims=READER)
    known = KnownAnswers(size)

    for number in range(5):
        known.put(known.key(bytes([number])), KnownAnswer(b"", holder_of(world), Standing(decision.verdict, 1)), facts)

    assert len(known) == size
    assert [known.get(known.key(bytes([number])), facts) is not None for number in range(5)] == [
        5 - size <= n for n in range(5)
    ]


@pytest.mark.parametrize(("size", "is_kept"), [(MAX_ENCODED, True), (MAX_ENCODED + 1, False)])
def test_long_questions_are_found_anew(size: int, is_kept: bool) -> None:
    world = World()

    learn(world, bytes(size))

    assert is_known(world, bytes(size)) == is_kept


def holder_of(world: World) -> Genuine:
    (holder,) = world.authorizer._holders._known.values()
    return holder


def test_neither_the_encoding_nor_the_token_is_kept() -> None:
    world = World()
    question = world.question(claims=READER)
    encoded = bytes(bytearray(b"a question with a token in it"))
    world.answer(question)
    before = sys.getrefcount(encoded), sys.getrefcount(question.token)

    assert world.authorizer.at_hand(encoded, lambda: question) is not None

    assert (sys.getrefcount(encoded), sys.getrefcount(question.token)) == before


@pytest.mark.parametrize("how", ["expired", "pushed out"])
def test_a_token_that_is_remembered_no_more_is_not_kept_alive(how: str) -> None:
    world = World(cache_size=1)
    learn(world, b"encoded")
    (token,) = world.authorizer._holders._known
    kept = weakref.ref(token)
    del token

    if how == "expired":
        world.now += 700
        assert not is_known(world, b"encoded")
    else:
        world.ask(claims={**READER, "sub": "bob"})
    gc.collect()

    assert kept() is None
    assert not is_known(world, b"encoded")


def test_a_token_whose_answer_is_known_stays_remembered() -> None:
    world = World(cache_size=2)
    learn(world, b"encoded")

    for number in range(5):
        world.ask(claims={**READER, "sub": f"s{number}"})
        assert is_known(world, b"encoded")


def test_an_answer_is_found_anew_for_a_token_that_was_verified_anew() -> None:
    world = World(cache_size=1)
    question = world.question(claims=READER)
    learn(world, b"encoded", question)
    world.ask(claims={**READER, "sub": "bob"})

    # It is another holder then, whose answers depend on the key that verified it now.
    world.answer(question)
    assert not is_known(world, b"encoded")

    learn(world, b"encoded", question)
    assert is_known(world, b"encoded")
