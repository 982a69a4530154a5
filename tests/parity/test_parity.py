"""What LiteLLM 1.63.2 answered, usherd answers, but for a closed list of differences."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from usherd.parity.cases import Case, read_cases
from usherd.parity.compare import possible
from usherd.parity.differences import DIFFERENCES, Difference, difference_of
from usherd.parity.fixtures import importable
from usherd.parity.predicates import Subject
from usherd.parity.results import Result, result_of, tally
from usherd.parity.runner import running

from .support import CASES, DOCUMENTS

MOST_NAMED = 0.04
"""The share of cases that may differ by a named difference."""


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return list(read_cases(CASES))


@pytest.fixture(scope="module")
def results(cases: list[Case]) -> list[Result]:
    async def asked() -> list[Result]:
        async with running(DOCUMENTS) as runner:
            return [await result_of(runner, case, DOCUMENTS.value(case.keys)) for case in cases]

    with importable(CASES):
        return asyncio.run(asked())


def test_every_answer_is_litellms_or_differs_by_a_named_difference(results: list[Result]) -> None:
    otherwise = {each.case.id: each.otherwise for each in results if each.otherwise}

    assert otherwise == {}


def test_nothing_is_allowed_that_litellm_denies_in_every_way(results: list[Result]) -> None:
    opened = [
        each.case.id
        for each in results
        if each.answer.allowed and not any(answer.allowed for answer in possible(each.case))
    ]

    assert opened == []


def test_named_differences_are_few_and_each_makes_a_difference(results: list[Result]) -> None:
    named = Counter(each.difference for each in results if each.difference is not None)

    assert named.total() < MOST_NAMED * len(results)
    # No recorded answer of LiteLLM's hangs on a key of its cache that usherd would answer otherwise.
    assert {each.name for each in DIFFERENCES} - set(named) == {"cache-key"}


def test_denials_have_litellms_http_status(results: list[Result]) -> None:
    statuses = tally(results).statuses

    # Two cases hang on the order of a set: another team is tried first, and says another thing of itself.
    assert statuses[False] <= 2
    assert statuses[True] > 2900


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: each.name)
def test_each_difference_holds_for_recorded_cases(difference: Difference, cases: list[Case]) -> None:
    held = [case for case in cases if difference.holds(Subject(case, DOCUMENTS.value(case.keys)))]

    assert held


def test_differences_are_read_off_the_question_and_not_off_the_answer(cases: list[Case]) -> None:
    for case in cases:
        document = DOCUMENTS.value(case.keys)
        blank = replace(case, id="", area="", expected={}, latest={}, tags=frozenset())

        assert difference_of(blank, document) is difference_of(case, document)


def test_the_list_of_differences_is_closed() -> None:
    assert {each.name for each in DIFFERENCES} == {
        "letters",
        "token-form",
        "key-hygiene",
        "id-type",
        "model-form",
        "glob",
        "provider",
        "cache-key",
        "leeway",
        "library",
        "fault",
    }
