"""What holds between options: stricter values and the preset `strict` close, and never open.

Some options say who is judged: which team is chosen, which user is meant. Where two values lead to different people,
their lists are different questions; the laws are about the same ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from examples import examples
from laws.strategies import askings, mixtures, options, worlds
from usherd.domain import Effect, Question, Verdict
from usherd.errors import Refusal
from usherd.identify.resolve import identify
from usherd.options import LITELLM, OPTIONS, STRICT, OptionInfo, Options, lax, with_values
from usherd.permit.case import TeamChoice
from usherd.reading import Reading
from usherd.reasons import Reason
from worlds import World, finished

law = examples(1000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
# Worlds take longest to draw: each is asked several questions.
questions = st.lists(askings(), min_size=5, max_size=5)
GUARDS = tuple(info for info in OPTIONS if info.guard)
READINGS = tuple(info for info in OPTIONS if not info.guard)
ANYONE = "anyone, before the directory is asked"


def allows(verdict: Verdict) -> bool:
    return verdict.effect is Effect.ALLOW


def under(world: World, chosen: Options) -> World:
    return replace(world, policy=replace(world.policy, options=chosen))


def judged(world: World, question: Question) -> object:
    """Who is judged by whose lists: the user's row and the team's, and whether there is a team that may make it."""
    authorizer = world.authorizer
    token = finished(authorizer._holders._verifier.verify(question.token, patience=0.0))
    judge = authorizer._judge
    try:
        profile = authorizer._holders._profiler.profile(token)
    except Refusal:
        return ANYONE
    reading = Reading(world.directory.at_hand())
    identity = identify(profile, question, reading, world.policy)
    choice: TeamChoice = judge._permit.case(question, judge.asked(question), identity, reading).choice
    return identity.user, profile.user, choice.team, choice.team_id, choice.claimed, choice.none_qualifies


def same_people(one: World, other: World, question: Question) -> bool:
    who = judged(one, question)
    return who is not ANYONE and who == judged(other, question)


@law
@given(worlds(st.just(STRICT)), questions, options, st.sampled_from(GUARDS))
def test_raising_a_guard_towards_strict_never_turns_a_denial_into_an_allow(
    world: World, asked: list[dict[str, Any]], base: Options, guard: OptionInfo
) -> None:
    stricter = under(world, with_values(base, {guard.name: guard.strict}))
    laxer = under(world, with_values(base, {guard.name: guard.litellm}))
    for question in (world.question(**asking) for asking in asked):
        if stricter.answer(question).verdict.reason is Reason.ALLOWED and same_people(stricter, laxer, question):
            verdict = laxer.answer(question).verdict
            assert allows(verdict), f"{guard.name}: {verdict.reason.name}"


LACKS = frozenset(
    {
        Reason.NOT_ENTITLED,
        Reason.ROUTE_NOT_GRANTED,
        Reason.MODEL_NOT_GRANTED,
        Reason.TEAM_REQUIRED,
        Reason.TEAM_NOT_ALLOWED,
        Reason.ROLE_REQUIRED,
        Reason.IDENTITY_REQUIRED,
        Reason.USER_UNKNOWN,
        Reason.ORGANIZATION_MISMATCH,
        Reason.ORGANIZATION_ROLE_REQUIRED,
    }
)
"""What says that a claim or right is missing."""


@law
@given(worlds(st.just(STRICT)), questions, mixtures)
def test_strict_never_allows_what_the_reference_denies_for_lack_of_a_claim_or_right(
    world: World, asked: list[dict[str, Any]], readings: Options
) -> None:
    read = {info.name: getattr(readings, info.attribute) for info in READINGS}
    strict, reference = under(world, with_values(STRICT, read)), under(world, with_values(LITELLM, read))
    for question in (world.question(**asking) for asking in asked):
        denied = reference.answer(question).verdict
        if denied.reason in LACKS and same_people(strict, reference, question):
            assert not allows(strict.answer(question).verdict), denied.reason.name


@law
@given(askings())
def test_without_anything_that_entitles_strict_allows_nobody(asking: dict[str, Any]) -> None:
    world = World()
    claims = {name: value for name, value in asking["claims"].items() if name not in ("roles", "scope")}

    assert not allows(world.ask(**(asking | {"claims": claims})).verdict) or asking["route"] == "/health/liveliness"


@pytest.mark.parametrize("info", OPTIONS, ids=lambda info: info.name)
def test_each_option_has_two_values_that_differ_and_a_meaning(info: OptionInfo) -> None:
    assert info.strict != info.litellm
    assert type(info.strict) is type(info.litellm)
    assert info.meaning.endswith(".")
    assert getattr(STRICT, info.attribute) == info.strict
    assert getattr(LITELLM, info.attribute) == info.litellm


def test_strict_has_no_guard_open_and_the_reference_all() -> None:
    assert lax(STRICT) == ()
    assert lax(LITELLM) == GUARDS


@given(mixtures)
def test_what_is_lax_is_what_differs_from_strict_in_a_guard(mixture: Options) -> None:
    open_guards = {info.name for info in lax(mixture)}

    assert open_guards == {info.name for info in GUARDS if getattr(mixture, info.attribute) == info.litellm}
    assert lax(with_values(mixture, {info.name: info.strict for info in lax(mixture)})) == ()
