"""Cases are asked of the real thing: imported configuration, fetched keys, verified token, counted budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from usherd.parity.answers import Outcome
from usherd.parity.latest import Change, kind_of
from usherd.parity.runner import Runner, running

from .support import Documents, answer, case, denied


@pytest.fixture
async def runner() -> AsyncIterator[Runner]:
    async with running(Documents()) as made:
        yield made


async def test_a_question_is_answered_under_its_own_configuration(runner: Runner) -> None:
    open_, closed = case(), case({"enforce_rbac": True})

    assert (await runner.ask(open_)).outcome is Outcome.ALLOWED
    assert (await runner.ask(closed)).reason == "ROLE_REQUIRED"
    assert (await runner.ask(open_)).outcome is Outcome.ALLOWED


async def test_a_question_is_answered_about_its_own_directory(runner: Runner) -> None:
    config, claims = {"team_id_jwt_field": "tid"}, {"tid": "t"}
    there = case(config, claims, directory={"teams": {"t": {"models": ["gpt-4o"]}}})
    spent = case(config, claims, directory={"teams": {"t": {"max_budget": 1.0, "spend": 2.0}}})

    assert (await runner.ask(there)).ids.team_id == "t"
    assert (await runner.ask(spent)).reason == "TEAM_BUDGET_EXHAUSTED"
    assert (await runner.ask(case(config, claims))).outcome is Outcome.DENY


async def test_the_global_budget_counts_what_everybody_spent(runner: Runner) -> None:
    settings = {"litellm_settings": {"max_budget": 10.0}}

    within = await runner.ask(case(config=settings, directory={"global_spend": 10.0}))
    beyond = await runner.ask(case(config=settings, directory={"global_spend": 10.5}))

    assert (within.outcome, beyond.reason) == (Outcome.ALLOWED, "GLOBAL_BUDGET_EXHAUSTED")


async def test_what_is_written_is_told_with_the_answer_and_not_kept(runner: Runner) -> None:
    new = case({"user_id_jwt_field": "sub", "user_id_upsert": True})

    for _ in range(2):
        assert (await runner.ask(new)).writes == (
            {"data": {"user_id": "u-1"}, "op": "create", "table": "litellm_usertable"},
        )


async def test_a_configuration_that_does_not_load_answers_nothing(runner: Runner) -> None:
    assert (await runner.ask(case({"no_such_field": 1}))).outcome is Outcome.CONFIG_ERROR


async def test_an_empty_claim_is_told_as_empty_and_an_absent_one_as_none(runner: Runner) -> None:
    config = {"org_id_jwt_field": "org", "end_user_id_jwt_field": "cust"}

    empty = await runner.ask(case(config, {"org": "", "cust": ""}))
    absent = await runner.ask(case(config, {}))

    assert (empty.ids.org_id, empty.ids.end_user_id) == ("", "")
    assert (absent.ids.org_id, absent.ids.end_user_id) == (None, None)


async def test_the_end_user_told_is_the_tokens(runner: Runner) -> None:
    config = {"end_user_id_jwt_field": "cust"}
    request = {"user": "of-the-body"}

    assert (await runner.ask(case(config, {"cust": "e-1"}, request=request))).ids.end_user_id == "e-1"
    assert (await runner.ask(case(config, {}, request=request))).ids.end_user_id is None


async def test_the_role_told_is_the_one_that_the_claims_give(runner: Runner) -> None:
    assert (await runner.ask(case())).role is None
    assert (await runner.ask(case({"user_id_jwt_field": "sub"}))).role == "internal_user"
    assert (await runner.ask(case(claims={"scope": 5}))).role is None
    assert (await runner.ask(case(claims={"scope": None}))).role == "error"


async def test_reworded_claims_count_for_genuine_tokens_only(runner: Runner) -> None:
    config = {"user_id_jwt_field": "sub", "user_id_upsert": True}
    forged = case(config, token=case().token[:-8] + "AAAAAAAA")

    assert (await runner.ask(case(config), claims={"sub": "other"})).ids.user_id == "other"
    assert (await runner.ask(forged, claims={"sub": "other"})).outcome is Outcome.DENY


@pytest.mark.parametrize(
    "behaviour",
    [{"error": "connect"}, {"error": "timeout"}, {"error": "reset"}, {"body": "<html>"}, {"status": 500}],
)
async def test_keys_that_cannot_be_fetched_give_no_decision(runner: Runner, behaviour: dict[str, object]) -> None:
    told = await runner.ask(case(jwks_http=behaviour))

    assert (told.outcome, told.reason) == (Outcome.FAULT, "KEYS_UNAVAILABLE")


async def test_keys_that_are_fetched_verify(runner: Runner) -> None:
    assert (await runner.ask(case(jwks_http={"status": 200}))).outcome is Outcome.ALLOWED


async def test_strict_answers_what_the_shadow_would() -> None:
    async with running(Documents(), "strict") as strict:
        assert (await strict.ask(case())).outcome is Outcome.DENY


def test_changes_of_the_newest_version_are_counted_by_kind() -> None:
    latest = denied() | {"changed": ["http.allowed"], "note": "SECURITY: the route is checked"}
    changed = case(latest=latest)
    counts = Change()
    counts.add(changed, answer())
    counts.add(changed, answer(Outcome.DENY))

    assert kind_of(changed) == "SECURITY"
    assert kind_of(case(latest=denied() | {"changed": []})) is None
    assert (counts.cases, counts.reference_allows, counts.latest_allows) == (2, 2, 0)
    assert (counts.answers[Outcome.ALLOWED], counts.laxer) == (1, ["test.case"])
