"""An observer hears how questions were answered; without one nothing is measured, and the short way is as it was."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.domain import Question
from usherd.ports import Cache, Observer, Stage
from worlds import World, encoding, finished


@dataclass
class Heard:
    """An observer that writes down what it hears."""

    stages: list[tuple[Stage, float]] = field(default_factory=list)
    lookups: list[tuple[Cache, bool]] = field(default_factory=list)

    def took(self, stage: Stage, seconds: float) -> None:
        self.stages.append((stage, seconds))

    def looked_up(self, cache: Cache, *, found: bool) -> None:
        self.lookups.append((cache, found))


@dataclass
class Stopwatch:
    """Goes on by a second at each look."""

    looks: int = 0

    def __call__(self) -> float:
        self.looks += 1
        return float(self.looks)


def authorizer(world: World, stopwatch: Stopwatch, observer: Observer | None) -> Authorizer:
    ids = (f"{number:026d}" for number in itertools.count())
    return Authorizer(
        policy=world.policy,
        verifier=Verifier(world.policy, world.keys, lambda: world.now, observer=observer),
        keys=world.keys,
        directory=world.directory,
        clock=lambda: world.now,
        stopwatch=stopwatch,
        new_id=lambda: next(ids),
        observer=observer,
    )


def ask(answering: Authorizer, question: Question) -> None:
    """As a server does: at hand if it can be, else the long way."""
    if answering.at_hand(encoding(question), lambda: question) is None:
        finished(answering.authorize(question))


def test_stages_are_told_one_after_the_other_and_caches_from_the_first_to_the_last() -> None:
    world, heard = World(), Heard()
    answering = authorizer(world, Stopwatch(), heard)
    question = world.question(claims={"roles": ["Reader"]})

    ask(answering, question)
    first, heard.stages, heard.lookups = (heard.stages, heard.lookups), [], []
    ask(answering, question)
    second, heard.stages, heard.lookups = (heard.stages, heard.lookups), [], []
    ask(answering, question._replace(model="gpt-4o-mini"))

    assert first[0] == [(Stage.AUTHENTICATE, 1.0), (Stage.DIRECTORY, 1.0), (Stage.JUDGE, 1.0)]
    assert first[1] == [(Cache.ANSWERS, False), (Cache.TOKENS, False), (Cache.VERDICTS, False)]
    # What is at hand has no stages.
    assert second == ([], [(Cache.ANSWERS, True)])
    assert heard.lookups == [(Cache.ANSWERS, False), (Cache.TOKENS, True), (Cache.VERDICTS, False)]


def test_a_refused_token_has_the_stage_that_refused_it_and_no_other() -> None:
    world, heard = World(), Heard()
    ask(authorizer(world, Stopwatch(), heard), world.question(token="none"))

    assert [stage for stage, _ in heard.stages] == [Stage.AUTHENTICATE]


def test_without_an_observer_no_stopwatch_is_looked_at_and_the_short_way_has_no_step_more() -> None:
    world, stopwatch = World(), Stopwatch()
    answering = authorizer(world, stopwatch, None)
    for _ in range(2):
        ask(answering, world.question(claims={"roles": ["Reader"]}))

    assert stopwatch.looks == 0
    assert answering._answer_at_hand == answering._at_hand.answer
