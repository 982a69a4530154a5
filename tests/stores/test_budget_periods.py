"""A budget begins anew with its period, whether or not anybody looks at that moment."""

from __future__ import annotations

import pytest

from stores.budgets import (
    ALL,
    DAY,
    EXCEEDED,
    MIDNIGHT,
    REACHED,
    TEAM,
    TEN_A_DAY,
    WITHIN,
    directory_of,
    rows_with,
    states_of,
)
from stores.support import Hands
from usherd.facts import BudgetOwner
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory


@pytest.fixture(name="clock")
def _clock() -> Hands:
    return Hands(now=MIDNIGHT + 100.0)


@pytest.mark.parametrize("owner", ALL, ids=lambda owner: owner.kind.name.lower())
def test_an_exhausted_budget_begins_anew_with_its_period_under_a_new_revision(owner: BudgetOwner, clock: Hands) -> None:
    directory = directory_of(clock, rows_with(TEN_A_DAY), Budget(10, DAY))
    directory.record_usage(owner, 11)
    exhausted = directory.at_hand()

    clock.now = MIDNIGHT + DAY - 0.001
    still = directory.at_hand()
    clock.now = MIDNIGHT + DAY
    renewed = directory.at_hand()

    assert still is exhausted
    assert (exhausted.budget(owner), renewed.budget(owner)) == (EXCEEDED, WITHIN)
    assert renewed.revision == exhausted.revision + 1
    assert directory.at_hand() is renewed


async def test_whoever_waits_for_facts_gets_the_new_period_too(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(TEN_A_DAY))
    directory.record_usage(TEAM, 10)
    clock.now += DAY

    assert (await directory.facts([])).budget(TEAM) is WITHIN


def test_all_budgets_whose_periods_end_together_begin_anew_in_one_revision(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(TEN_A_DAY), Budget(10, DAY))
    for owner in ALL:
        directory.record_usage(owner, 10)
    before = directory.at_hand().revision

    clock.now += 5 * DAY

    assert directory.at_hand().revision == before + 1
    assert set(states_of(directory).values()) == {WITHIN}


def test_a_budget_without_a_period_stays_exhausted(clock: Hands) -> None:
    directory = directory_of(clock)
    directory.record_usage(TEAM, 10)
    before = directory.at_hand()

    clock.now += 10_000 * DAY

    assert directory.at_hand() is before
    assert before.budget(TEAM) is REACHED


def test_what_was_spent_in_one_period_does_not_count_in_the_next(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(TEN_A_DAY))
    directory.record_usage(TEAM, 9)

    clock.now += DAY
    first = directory.record_usage(TEAM, 9)
    second = directory.record_usage(TEAM, 1)

    assert (first, second) == (1, 2)


def test_a_budget_that_is_exhausted_at_once_in_its_next_period_ends_with_that_one(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(TEN_A_DAY))
    directory.record_usage(TEAM, 10)

    clock.now += DAY
    # Nobody has looked since: the same state, in another period.
    assert directory.record_usage(TEAM, 10) == 2
    assert directory.at_hand().budget(TEAM) is REACHED
    clock.now += DAY
    assert directory.at_hand().budget(TEAM) is WITHIN


def test_a_clock_that_goes_back_forgives_nothing(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(TEN_A_DAY))
    directory.record_usage(TEAM, 6)

    clock.now -= 3 * DAY
    directory.record_usage(TEAM, 5)
    clock.now += 3 * DAY
    exhausted = directory.at_hand().budget(TEAM)
    clock.now += DAY

    assert (exhausted, directory.at_hand().budget(TEAM)) == (EXCEEDED, WITHIN)


def test_without_an_exhausted_budget_that_ends_nobody_looks_at_the_clock() -> None:
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return 0.0

    directory = MemoryDirectory("store", rows_with(TEN_A_DAY), clock=clock)
    directory.record_usage(TEAM, 9)
    asked = 0
    for _ in range(10):
        directory.at_hand()

    assert asked == 0


def test_a_row_that_is_given_a_period_begins_anew_with_it(clock: Hands) -> None:
    directory = directory_of(clock)
    directory.record_usage(TEAM, 10)

    directory.replace(rows_with(TEN_A_DAY))
    given = directory.at_hand().budget(TEAM)
    clock.now += DAY

    assert (given, directory.at_hand().budget(TEAM)) == (REACHED, WITHIN)


def test_rows_that_come_when_a_period_is_over_do_not_bring_it_back(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(TEN_A_DAY))
    directory.record_usage(TEAM, 10)

    clock.now += DAY
    directory.replace(rows_with())

    assert directory.at_hand().budget(TEAM) is WITHIN
