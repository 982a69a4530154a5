"""What is remembered is what would be found anew, whatever has changed meanwhile: no ALLOW of it is none now."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from examples import examples
from laws.strategies import OWNERS, TEAMS, askings, ceilings, limits, some, worlds
from usherd.facts import Team, User, Write, WriteKind
from worlds import World, finished

law = examples(600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

USERS = st.builds(
    User,
    id=st.sampled_from(["alice", "bob", "alice-sso", "stranger"]),
    identities=st.sampled_from([(), (("idp", "alice"),), (("idp", "stranger"),)]),
    sso_ids=st.sampled_from([(), ("alice-sso",)]),
    email=st.sampled_from(["", "alice@corp.example"]),
    role=st.sampled_from(["", "proxy_admin", "internal_user_viewer"]),
    models=ceilings,
    teams=some(TEAMS),
    organizations=st.just(("acme",)),
    limit=limits,
)
NEW_TEAMS = st.builds(
    Team,
    id=st.sampled_from([*TEAMS, "unknown"]),
    alias=st.sampled_from(["", "Alpha"]),
    organization=st.sampled_from(["", "acme"]),
    models=ceilings,
    limit=limits,
)
WRITES = st.one_of(
    st.builds(Write, st.sampled_from([WriteKind.CREATE_USER, WriteKind.UPDATE_USER]), USERS),
    st.builds(Write, st.just(WriteKind.CREATE_TEAM), NEW_TEAMS),
)
STEPS = st.one_of(
    st.tuples(st.just("spend"), st.sampled_from(OWNERS), st.sampled_from([1, 5, 10])),
    st.tuples(st.just("reset"), st.sampled_from(OWNERS)),
    st.tuples(st.just("write"), WRITES),
)


def make(world: World, step: tuple[Any, ...]) -> None:
    match step:
        case "spend", owner, amount:
            world.directory.record_usage(owner, amount)
        case "reset", owner:
            world.directory.reset_usage(owner)
        case "write", write:
            finished(world.directory.write([write]))


@law
@given(worlds(), st.lists(askings(), min_size=3, max_size=3), st.lists(STEPS, max_size=6))
def test_a_remembered_answer_is_the_one_that_would_be_found_anew(
    world: World, asked: list[dict[str, Any]], steps: list[tuple[Any, ...]]
) -> None:
    world.provisioning = None
    world.authorizer = world.made_authorizer()
    questions = [world.question(**asking) for asking in asked]
    for step in [("begin",), *steps]:
        make(world, step)
        forgetful = world.made_authorizer(remember=0)
        for question in questions:
            anew = finished(forgetful.authorize(question))
            at_hand = world.at_hand(question)
            answers = [world.answer(question), world.at_hand(question), at_hand]
            for answer in answers:
                if answer is not None:
                    assert (answer.verdict, answer.revision) == (anew.verdict, anew.revision)
