"""What is spent moves counters; only a budget that changes its state changes the directory."""

from __future__ import annotations

import asyncio

import pytest

from stores.support import Hands
from usherd.domain import Limit
from usherd.facts import (
    BudgetKind,
    BudgetOwner,
    BudgetState,
    EndUser,
    Membership,
    Organization,
    Rows,
    Team,
    User,
)
from usherd.ports import Wanted
from usherd.stores.budgets import MOST_MICRO_USD, Budget
from usherd.stores.memory_directory import MemoryDirectory
from worlds import finished

WITHIN, REACHED, EXCEEDED = BudgetState
DAY = 86_400
MIDNIGHT = 20_000 * DAY
"""Some midnight UTC, in seconds since the epoch."""

_TEN = Limit(max_budget_micro_usd=10)
_TEN_A_DAY = Limit(max_budget_micro_usd=10, budget_reset_seconds=DAY)

_TEN_TOGETHER = Budget(10)

GLOBAL = BudgetOwner(BudgetKind.GLOBAL)
ORGANIZATION = BudgetOwner(BudgetKind.ORGANIZATION, "o")
TEAM = BudgetOwner(BudgetKind.TEAM, "t")
USER = BudgetOwner(BudgetKind.USER, "u")
MEMBER = BudgetOwner(BudgetKind.MEMBER, "u", "t")
END_USER = BudgetOwner(BudgetKind.END_USER, "e")
ALL = (GLOBAL, ORGANIZATION, TEAM, USER, MEMBER, END_USER)


def _rows(limit: Limit = _TEN, member: int | None = 10) -> Rows:
    return Rows(
        organizations=(Organization(id="o", limit=limit),),
        teams=(Team(id="t", limit=limit, members={"u": Membership(max_budget_micro_usd=member)}),),
        users=(User(id="u", limit=limit),),
        end_users=(EndUser(id="e", limit=limit),),
    )


def _directory(clock: Hands, rows: Rows | None = None, everyone: Budget = _TEN_TOGETHER) -> MemoryDirectory:
    rows = _rows() if rows is None else rows
    return MemoryDirectory("store", rows, bare_ids_for="idp", everyone=everyone, clock=clock)


def _states(directory: MemoryDirectory) -> dict[BudgetOwner, BudgetState]:
    facts = directory.at_hand()
    return {owner: facts.budget(owner) for owner in ALL}


@pytest.fixture(name="clock")
def _clock() -> Hands:
    return Hands(now=MIDNIGHT + 100.0)


@pytest.mark.parametrize("owner", ALL, ids=lambda owner: owner.kind.name.lower())
@pytest.mark.parametrize(("spent", "expected"), [(0, WITHIN), (9, WITHIN), (10, REACHED), (11, EXCEEDED)])
def test_an_owners_budget_is_within_at_or_beyond_its_maximum_and_no_other_budget_moves(
    spent: int, expected: BudgetState, owner: BudgetOwner, clock: Hands
) -> None:
    directory = _directory(clock)

    directory.record_usage(owner, spent)

    assert _states(directory) == {each: expected if each == owner else WITHIN for each in ALL}


def test_spending_within_a_state_changes_nothing_that_is_read(clock: Hands) -> None:
    directory = _directory(clock)
    before = directory.at_hand()

    revisions = [directory.record_usage(TEAM, 3) for _ in range(3)]

    assert revisions == [1, 1, 1]
    assert directory.at_hand() is before
    assert finished(directory.facts([Wanted(issuer="idp")])) is before


def test_each_change_of_state_is_a_revision(clock: Hands) -> None:
    directory = _directory(clock)
    before = directory.at_hand()

    revisions = [directory.record_usage(TEAM, amount) for amount in (9, 1, 0, 1, 5)]

    assert revisions == [1, 2, 2, 3, 3]
    assert (before.budget(TEAM), directory.at_hand().budget(TEAM)) == (WITHIN, EXCEEDED)


def test_a_change_of_state_leaves_the_rows_revisions_alone(clock: Hands) -> None:
    directory = _directory(clock)

    directory.record_usage(TEAM, 10)

    team = directory.at_hand().team("idp", "t")
    assert team is not None
    assert (directory.at_hand().revision, team.revision) == (2, "1")


async def test_a_change_of_state_wakes_those_who_wait_for_its_revision(clock: Hands) -> None:
    directory = _directory(clock)
    waiting = asyncio.create_task(directory.reach("store", 2))
    await asyncio.sleep(0)

    directory.record_usage(USER, 10)
    async with asyncio.timeout(10):
        await waiting

    assert directory.at_hand().revision == 2


def test_a_maximum_of_nothing_is_reached_when_nothing_was_spent(clock: Hands) -> None:
    directory = _directory(clock, _rows(Limit(max_budget_micro_usd=0), member=0))
    before = _states(directory)

    directory.record_usage(TEAM, 1)
    directory.reset_usage(TEAM)

    assert before == {owner: WITHIN if owner is GLOBAL else REACHED for owner in ALL}
    assert _states(directory) == before


@pytest.mark.parametrize(
    "owner",
    [
        BudgetOwner(BudgetKind.TEAM, "nobody"),
        BudgetOwner(BudgetKind.USER, ""),
        BudgetOwner(BudgetKind.MEMBER, "nobody", "t"),
        BudgetOwner(BudgetKind.MEMBER, "u", "nowhere"),
        BudgetOwner(BudgetKind.MEMBER, "u"),
        BudgetOwner(BudgetKind.TEAM, "t", "t"),
        BudgetOwner(BudgetKind.GLOBAL, "u"),
    ],
)
def test_what_nobody_spends_is_not_counted(owner: BudgetOwner, clock: Hands) -> None:
    directory = _directory(clock)
    before = directory.at_hand()

    assert directory.record_usage(owner, 1000) == 1
    assert directory.reset_usage(owner) == 1
    assert directory.at_hand() is before
    assert before.budget(owner) is WITHIN


def test_nothing_can_be_spent_back(clock: Hands) -> None:
    directory = _directory(clock)
    directory.record_usage(TEAM, 10)

    with pytest.raises(ValueError, match="micro_usd"):
        directory.record_usage(TEAM, -1)

    assert directory.at_hand().budget(TEAM) is REACHED


def test_a_counter_stops_where_the_contracts_money_ends(clock: Hands) -> None:
    directory = _directory(clock, _rows(Limit(max_budget_micro_usd=MOST_MICRO_USD)))

    directory.record_usage(TEAM, 2**100)

    assert directory.at_hand().budget(TEAM) is REACHED


def test_a_counter_that_is_reset_begins_anew(clock: Hands) -> None:
    directory = _directory(clock)
    directory.record_usage(TEAM, 11)
    directory.record_usage(USER, 11)

    revision = directory.reset_usage(TEAM)
    directory.record_usage(TEAM, 9)

    assert revision == 4
    assert (directory.at_hand().budget(TEAM), directory.at_hand().budget(USER)) == (WITHIN, EXCEEDED)


@pytest.mark.parametrize("owner", ALL, ids=lambda owner: owner.kind.name.lower())
def test_an_exhausted_budget_begins_anew_with_its_period_under_a_new_revision(owner: BudgetOwner, clock: Hands) -> None:
    directory = _directory(clock, _rows(_TEN_A_DAY), Budget(10, DAY))
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
    directory = _directory(clock, _rows(_TEN_A_DAY))
    directory.record_usage(TEAM, 10)
    clock.now += DAY

    assert (await directory.facts([])).budget(TEAM) is WITHIN


def test_all_budgets_whose_periods_end_together_begin_anew_in_one_revision(clock: Hands) -> None:
    directory = _directory(clock, _rows(_TEN_A_DAY), Budget(10, DAY))
    for owner in ALL:
        directory.record_usage(owner, 10)
    before = directory.at_hand().revision

    clock.now += 5 * DAY

    assert directory.at_hand().revision == before + 1
    assert set(_states(directory).values()) == {WITHIN}


def test_a_budget_without_a_period_stays_exhausted(clock: Hands) -> None:
    directory = _directory(clock)
    directory.record_usage(TEAM, 10)
    before = directory.at_hand()

    clock.now += 10_000 * DAY

    assert directory.at_hand() is before
    assert before.budget(TEAM) is REACHED


def test_what_was_spent_in_one_period_does_not_count_in_the_next(clock: Hands) -> None:
    directory = _directory(clock, _rows(_TEN_A_DAY))
    directory.record_usage(TEAM, 9)

    clock.now += DAY
    first = directory.record_usage(TEAM, 9)
    second = directory.record_usage(TEAM, 1)

    assert (first, second) == (1, 2)


def test_a_budget_that_is_exhausted_at_once_in_its_next_period_ends_with_that_one(clock: Hands) -> None:
    directory = _directory(clock, _rows(_TEN_A_DAY))
    directory.record_usage(TEAM, 10)

    clock.now += DAY
    # Nobody has looked since: the same state, in another period.
    assert directory.record_usage(TEAM, 10) == 2
    assert directory.at_hand().budget(TEAM) is REACHED
    clock.now += DAY
    assert directory.at_hand().budget(TEAM) is WITHIN


def test_a_clock_that_goes_back_forgives_nothing(clock: Hands) -> None:
    directory = _directory(clock, _rows(_TEN_A_DAY))
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

    directory = MemoryDirectory("store", _rows(_TEN_A_DAY), clock=clock)
    directory.record_usage(TEAM, 9)
    asked = 0
    for _ in range(10):
        directory.at_hand()

    assert asked == 0


def test_rows_that_stay_keep_what_was_spent(clock: Hands) -> None:
    directory = _directory(clock)
    for owner in ALL:
        directory.record_usage(owner, 10)

    directory.replace(_rows(Limit(max_budget_micro_usd=20), member=20))
    raised = _states(directory)
    directory.replace(_rows(Limit(max_budget_micro_usd=9), member=9))

    assert raised == {owner: REACHED if owner is GLOBAL else WITHIN for owner in ALL}
    assert _states(directory) == {owner: REACHED if owner is GLOBAL else EXCEEDED for owner in ALL}


def test_rows_that_were_refused_leave_every_budget_as_it_was(clock: Hands) -> None:
    directory = _directory(clock)
    directory.record_usage(TEAM, 10)
    before = directory.at_hand()

    with pytest.raises(ValueError, match="twice"):
        directory.replace(Rows(users=(User(id="u"), User(id="u"))))
    directory.record_usage(TEAM, 0)

    assert directory.at_hand() is before


def test_a_row_that_goes_takes_what_was_spent_with_it(clock: Hands) -> None:
    directory = _directory(clock)
    for owner in ALL:
        directory.record_usage(owner, 10)

    directory.replace(Rows())
    gone = _states(directory)
    directory.replace(_rows())

    assert gone == _states(directory) == {owner: REACHED if owner is GLOBAL else WITHIN for owner in ALL}


def test_what_is_spent_without_a_maximum_counts_once_there_is_one(clock: Hands) -> None:
    directory = _directory(clock, _rows(Limit(), member=None))
    for owner in ALL:
        directory.record_usage(owner, 10)
    before = _states(directory)

    directory.replace(_rows())

    assert before == {owner: REACHED if owner is GLOBAL else WITHIN for owner in ALL}
    assert set(_states(directory).values()) == {REACHED}


def test_a_row_that_is_given_a_period_begins_anew_with_it(clock: Hands) -> None:
    directory = _directory(clock)
    directory.record_usage(TEAM, 10)

    directory.replace(_rows(_TEN_A_DAY))
    given = directory.at_hand().budget(TEAM)
    clock.now += DAY

    assert (given, directory.at_hand().budget(TEAM)) == (REACHED, WITHIN)


def test_rows_that_come_when_a_period_is_over_do_not_bring_it_back(clock: Hands) -> None:
    directory = _directory(clock, _rows(_TEN_A_DAY))
    directory.record_usage(TEAM, 10)

    clock.now += DAY
    directory.replace(_rows())

    assert directory.at_hand().budget(TEAM) is WITHIN
