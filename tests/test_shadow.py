"""A candidate policy is asked beside the live one, told of, and never obeyed."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.domain import Decision, Question
from usherd.errors import DirectoryUnavailable, Fault
from usherd.facts import Team
from usherd.options import STRICT, with_values
from usherd.reasons import Reason
from usherd.shadow import Difference, Shadowed
from worlds import World, encoding, finished, policy

LAX = policy(options=with_values(STRICT, {"access.unentitled": "allow"}), digest="lax")
TEAMS = (Team(id="a", models=("gpt-4o",)),)


class Pair:
    """A lax live policy, and a strict candidate over the same keys and directory."""

    def __init__(self, *, strict_lives: bool = False) -> None:
        live, candidate = (policy(), LAX) if strict_lives else (LAX, policy())
        self.world, self.other = World(policy=live, teams=TEAMS), World(policy=candidate, teams=TEAMS)
        self.told: list[tuple[str, Difference]] = []
        self.shadowed = Shadowed(
            self.world.authorizer,
            self.other.authorizer,
            "candidate-digest",
            lambda decision, difference: self.told.append((decision.decision_id, difference)),
        )

    def question(self, **asked: Any) -> Question:
        return self.world.question(**asked)

    def ask(self, question: Question, *, explain: bool = False) -> Decision:
        return finished(self.shadowed.authorize(question, explain=explain))

    def at_hand(self, question: Question) -> Decision | None:
        return self.shadowed.at_hand(encoding(question), lambda: question)


STRANGER = {"claims": {"sub": "stranger"}}
MEMBER = {"claims": {"sub": "stranger", "groups": ["a"]}}


@pytest.mark.parametrize("strict_lives", [True, False])
def test_only_the_live_policy_is_obeyed(strict_lives: bool) -> None:
    pair = Pair(strict_lives=strict_lives)
    question = pair.question(**STRANGER)

    assert pair.ask(question).verdict == pair.world.answer(question).verdict
    assert pair.ask(question).verdict.reason is (Reason.NOT_ENTITLED if strict_lives else Reason.ALLOWED)


def test_differences_are_counted_by_kind_and_told_with_their_decision() -> None:
    pair = Pair()
    for asked in (STRANGER, STRANGER, MEMBER):
        pair.ask(pair.question(**asked))

    tally = pair.shadowed.tally()

    kind = Difference(Reason.ALLOWED, Reason.NOT_ENTITLED, effect_differs=True)
    assert (tally.total, tally.agreed, tally.differed) == (3, 1, {kind: 2})
    assert [difference for _, difference in pair.told] == [kind, kind]


def test_another_reason_for_the_same_effect_is_a_difference_of_its_own_kind() -> None:
    pair = Pair()

    pair.ask(pair.question(**STRANGER, route="/v1/chat/../x"))

    assert list(pair.shadowed.tally().differed) == [
        Difference(Reason.ROUTE_AMBIGUOUS, Reason.NOT_ENTITLED, effect_differs=False)
    ]


def test_an_explanation_tells_the_candidates_verdict_and_checks() -> None:
    pair = Pair()

    explanation = pair.ask(pair.question(**STRANGER), explain=True).verdict.explanation

    assert explanation is not None
    shadow = explanation.shadow
    assert shadow is not None
    assert (shadow.reason, shadow.policy) == (Reason.NOT_ENTITLED, "candidate-digest")
    denied = [check.check for check in shadow.checks if check.reason is not None]
    assert denied[0] == "entitlement"
    assert pair.ask(pair.question(**STRANGER)).verdict.explanation is None


class Broken:
    """A candidate that never has an answer."""

    def at_hand(self, question: Question) -> Decision | None:
        return None

    async def authorize(self, *_: Any, **__: Any) -> Decision:
        raise DirectoryUnavailable

    async def authorize_many(self, *_: Any, **__: Any) -> list[Decision | Fault]:
        raise DirectoryUnavailable


def test_a_fault_of_the_candidate_is_counted_and_changes_nothing() -> None:
    world = World(policy=LAX)
    broken: Any = Broken()
    shadowed = Shadowed(world.authorizer, broken, "none")
    question = world.question(**STRANGER)

    decision = finished(shadowed.authorize(question, explain=True))
    many = finished(shadowed.authorize_many([question]))

    assert decision.verdict.reason is Reason.ALLOWED
    assert [answer.verdict.reason for answer in many if isinstance(answer, Decision)] == [Reason.ALLOWED]
    assert shadowed.tally().differed == {Difference(Reason.ALLOWED, None, effect_differs=True): 2}
    assert decision.verdict.explanation is not None
    assert decision.verdict.explanation.shadow is not None
    assert decision.verdict.explanation.shadow.effect is None


def test_a_batch_is_compared_question_by_question() -> None:
    pair = Pair()

    answers = finished(pair.shadowed.authorize_many([pair.question(**STRANGER), pair.question(**MEMBER)], explain=True))

    assert (pair.shadowed.tally().agreed, pair.shadowed.tally().differed.total()) == (1, 1)
    explanations = [answer.verdict.explanation for answer in answers if isinstance(answer, Decision)]
    shadows = [each.shadow.reason for each in explanations if each is not None and each.shadow is not None]
    assert shadows == [Reason.NOT_ENTITLED, Reason.ALLOWED]


def test_an_answer_at_hand_is_compared_too() -> None:
    pair = Pair()
    question = pair.question(**STRANGER)
    assert pair.at_hand(question) is None
    pair.ask(question)

    at_hand = [pair.at_hand(question), pair.at_hand(question)]

    assert [answer and answer.verdict.reason for answer in at_hand] == [Reason.ALLOWED] * 2
    assert pair.shadowed.tally().differed.total() == 3


def test_lists_are_the_live_policys() -> None:
    pair = Pair()
    question = pair.question(**MEMBER, model=None)

    page = finished(pair.shadowed.models(question))

    assert page == finished(pair.world.authorizer.models(question))
    assert pair.shadowed.tally().total == 0


def test_a_live_fault_stays_a_fault() -> None:
    world = World(policy=LAX)
    broken: Any = Broken()

    with pytest.raises(DirectoryUnavailable):
        finished(Shadowed(broken, world.authorizer, "none").authorize(world.question(**STRANGER)))
