"""What counts as LiteLLM's answer, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.parity.answers import Outcome
from usherd.parity.cases import Case
from usherd.parity.compare import as_result, disagreements, role_agrees, status_agrees
from usherd.parity.results import Tally, result_of

from .support import allowed, answer, case, denied

DENY = Outcome.DENY


def expecting(expected: dict[str, Any], *tags: str) -> Case:
    return case(expected=expected, tags=frozenset(tags))


def test_the_same_answer_with_the_same_ids_agrees() -> None:
    assert disagreements(expecting(allowed(team_id="t")), answer(team_id="t")) == ()


@pytest.mark.parametrize("name", ["is_proxy_admin", "team_id", "user_id", "org_id", "end_user_id"])
def test_each_id_of_an_allowed_request_must_be_the_same(name: str) -> None:
    assert disagreements(expecting(allowed(**{name: "x"})), answer(**{name: "y"})) == (name,)


def test_ids_of_a_denied_request_do_not_matter() -> None:
    assert disagreements(expecting(denied()), answer(DENY)) == ()


def test_another_effect_disagrees_in_words() -> None:
    assert disagreements(expecting(denied()), answer()) == ("denied, not allowed",)
    assert disagreements(expecting(allowed()), answer(DENY)) == ("allowed, not denied",)


def test_the_checks_behind_the_token_count() -> None:
    expected = allowed() | {"final_allowed": False, "http": {"allowed": False, "status": 401}}

    assert disagreements(expecting(expected), answer()) == ("denied, not allowed",)


def test_a_status_is_compared_where_litellm_means_one() -> None:
    meant, accident = denied(403, 403), denied("error", 401)

    assert disagreements(expecting(meant), answer(DENY, http_status=401)) == ("status 403, not 401",)
    assert disagreements(expecting(accident), answer(DENY, http_status=403)) == ()
    assert status_agrees(expecting(accident), answer(DENY, http_status=403)) is False
    assert status_agrees(expecting(allowed()), answer(DENY, http_status=403)) is None


def test_any_alternative_is_litellms_answer_but_no_mixture_of_them() -> None:
    one = allowed(team_id="a")
    other = {key: value for key, value in allowed(team_id="b", user_id="u").items() if key != "final_allowed"}
    either = expecting(one | {"alternatives": [other]})

    assert disagreements(either, answer(team_id="a")) == ()
    assert disagreements(either, answer(team_id="b", user_id="u")) == ()
    assert disagreements(either, answer(team_id="b")) != ()


def test_where_the_http_layer_decides_once_more_either_counts() -> None:
    expected = allowed(user_id="u") | {"http": {"allowed": False, "status": 403}}

    for given in (answer(user_id="u"), answer(DENY, http_status=403)):
        assert disagreements(expecting(expected, "http_differs"), given) == ()
    assert disagreements(expecting(expected), answer(DENY)) != ()


def test_a_configuration_that_litellm_refuses_must_not_load() -> None:
    refused = expecting(denied("config_error") | {"http": {"allowed": False, "status": "config_error"}})

    assert disagreements(refused, answer(Outcome.CONFIG_ERROR)) == ()
    assert disagreements(refused, answer(DENY)) == ("loads",)


def test_a_configuration_that_does_not_load_is_as_good_as_a_denial_and_no_better() -> None:
    assert disagreements(expecting(denied()), answer(Outcome.CONFIG_ERROR)) == ()
    assert disagreements(expecting(allowed()), answer(Outcome.CONFIG_ERROR)) == ("does not load",)


def test_a_fault_is_never_a_denial() -> None:
    fault = answer(Outcome.FAULT, reason="INTERNAL")

    assert disagreements(expecting(denied()), fault) == ("fault INTERNAL",)


def test_rows_are_written_where_litellm_writes_them_and_nowhere_else() -> None:
    row = {"data": {"user_id": "u"}, "op": "create", "table": "litellm_usertable"}
    writing = expecting(allowed() | {"db_writes": [row]})

    assert disagreements(writing, answer(writes=(row,))) == ()
    assert disagreements(writing, answer()) == ("db_writes",)
    assert disagreements(expecting(allowed()), answer(writes=(row,))) == ("db_writes",)


def test_roles_that_cannot_be_read_are_errors_of_either() -> None:
    unreadable = expecting(denied() | {"role": "error:TypeError"})

    assert role_agrees(unreadable, answer(DENY, role="error")) is True
    assert role_agrees(unreadable, answer(DENY, role="team")) is False
    assert role_agrees(unreadable, answer(Outcome.FAULT)) is None


def test_a_result_has_the_words_of_the_cases() -> None:
    told = as_result(expecting(allowed()), answer(team_id="t", role="team", http_status=200), None)

    assert told == {
        "id": "test.case",
        "allowed": True,
        "http_status": 200,
        "reason": "ALLOWED",
        "is_proxy_admin": False,
        "team_id": "t",
        "user_id": None,
        "org_id": None,
        "end_user_id": None,
        "role": "team",
        "db_writes": [],
        "difference": None,
    }


class Answers:
    """Answers each case in the same way, and each reworded one in another."""

    def __init__(self, plain: object, reworded: object = None) -> None:
        self.plain, self.reworded = plain, reworded

    async def ask(self, case: Case, *, claims: object = None) -> Any:
        return self.plain if claims is None else self.reworded


async def test_a_named_difference_counts_only_with_the_answer_that_it_implies() -> None:
    number = case(model=5, expected=allowed())

    as_implied = await result_of(Answers(answer(DENY)), number, {})
    otherwise = await result_of(Answers(answer()), number, {})

    assert (as_implied.difference, as_implied.otherwise) == ("model-form", ())
    assert (otherwise.difference, otherwise.otherwise) == (None, ("not what model-form implies",))


async def test_where_litellm_gives_the_implied_answer_too_there_is_no_difference() -> None:
    result = await result_of(Answers(answer(DENY)), case(model=5, expected=denied()), {})

    assert result.agrees


@pytest.mark.parametrize("field", ["team_id_jwt_field", "roles_jwt_field", "user_allowed_roles", "role_mappings"])
@pytest.mark.parametrize("value", [5, ["x"], {"a": 1}])
async def test_a_configuration_that_both_refuse_may_hold_anything(field: str, value: object) -> None:
    refused = case({field: value}, {"sub": "u-1", "roles": "r"}, expected=denied("config_error"))

    result = await result_of(Answers(answer(Outcome.CONFIG_ERROR)), refused, {})

    assert result.agrees


async def test_letters_imply_the_answer_to_a_token_without_them() -> None:
    letters = case({"team_ids_jwt_field": "groups"}, {"groups": "abc"}, expected=allowed(team_id="a"))

    same = await result_of(Answers(answer(DENY), answer(DENY)), letters, {})
    other = await result_of(Answers(answer(DENY), answer()), letters, {})

    assert same.difference == "letters"
    assert other.otherwise == ("not what letters implies",)


async def test_without_names_every_difference_is_one_otherwise() -> None:
    result = await result_of(Answers(answer(DENY)), case(model=5, expected=allowed()), {}, named=False)

    assert result.otherwise == ("allowed, not denied",)


async def test_a_tally_counts_each_case_once_in_its_area_and_once_in_all() -> None:
    counted = Tally()
    for each in (
        await result_of(Answers(answer()), case(area="a"), {}),
        await result_of(Answers(answer(DENY)), case(area="a", model=5), {}),
        await result_of(Answers(answer(DENY)), replace(case(), area="b"), {}),
    ):
        counted.add(each)

    line = counted.areas["a"]
    assert (line.cases, line.agree, line.named, line.otherwise) == (2, 1, {"model-form": 1}, 0)
    assert (counted.total.cases, counted.total.agree, counted.total.otherwise) == (3, 1, 1)
