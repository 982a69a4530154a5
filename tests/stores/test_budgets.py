"""What is spent moves counters; only a budget that changes its state changes the directory."""

from __future__ import annotations

import asyncio

import pytest

from stores.budgets import (
    ALL,
    EXCEEDED,
    GLOBAL,
    REACHED,
    TEAM,
    USER,
    WITHIN,
    directory_of,
    rows_with,
    states_of,
)
from stores.support import Hands
from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Rows, User
from usherd.ports import Wanted
from usherd.stores.budgets import MOST_MICRO_USD
from worlds import finished


@pytest.mark.parametrize("owner", ALL, ids=lambda owner: owner.kind.name.lower())
@pytest.mark.parametrize(("spent", "expected"), [(0, WITHIN), (9, WITHIN), (10, REACHED), (11, EXCEEDED)])
def test_an_owners_budget_is_within_at_or_beyond_its_maximum_and_no_other_budget_moves(
    spent: int, expected: BudgetState, owner: BudgetOwner, clock: Hands
) -> None:
    directory = directory_of(clock)

    directory.record_usage(owner, spent)

    assert states_of(directory) == {each: expected if each == owner else WITHIN for each in ALL}


def test_spending_within_a_state_changes_nothing_that_is_read(clock: Hands) -> None:
    directory = directory_of(clock)
    before = directory.at_hand()

    revisions = [directory.record_usage(TEAM, 3) for _ in range(3)]

    assert revisions == [1, 1, 1]
    assert directory.at_hand() is before
    assert finished(directory.facts([Wanted(issuer="idp")])) is before


def test_each_change_of_state_is_a_revision(clock: Hands) -> None:
    directory = directory_of(clock)
    before = directory.at_hand()

    revisions = [directory.record_usage(TEAM, amount) for amount in (9, 1, 0, 1, 5)]

    assert revisions == [1, 2, 2, 3, 3]
    assert (before.budget(TEAM), directory.at_hand().budget(TEAM)) == (WITHIN, EXCEEDED)


def test_a_change_of_state_leaves_the_rows_revisions_alone(clock: Hands) -> None:
    directory = directory_of(clock)

    directory.record_usage(TEAM, 10)

    team = directory.at_hand().team("idp", "t")
    assert team is not None
    assert (directory.at_hand().revision, team.revision) == (2, "1")


async def test_a_change_of_state_wakes_those_who_wait_for_its_revision(clock: Hands) -> None:
    directory = directory_of(clock)
    waiting = asyncio.create_task(directory.reach("store", 2))
    await asyncio.sleep(0)

    directory.record_usage(USER, 10)
    async with asyncio.timeout(10):
        await waiting

    assert directory.at_hand().revision == 2


def test_a_maximum_of_nothing_is_reached_when_nothing_was_spent(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(Limit(max_budget_micro_usd=0), member=0))
    before = states_of(directory)

    directory.record_usage(TEAM, 1)
    directory.reset_usage(TEAM)

    assert before == {owner: WITHIN if owner is GLOBAL else REACHED for owner in ALL}
    assert states_of(directory) == before


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
    directory = directory_of(clock)
    before = directory.at_hand()

    assert directory.record_usage(owner, 1000) == 1
    assert directory.reset_usage(owner) == 1
    assert directory.at_hand() is before
    assert before.budget(owner) is WITHIN


def test_nothing_can_be_spent_back(clock: Hands) -> None:
    directory = directory_of(clock)
    directory.record_usage(TEAM, 10)

    with pytest.raises(ValueError, match="micro_usd"):
        directory.record_usage(TEAM, -1)

    assert directory.at_hand().budget(TEAM) is REACHED


def test_a_counter_stops_where_the_contracts_money_ends(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(Limit(max_budget_micro_usd=MOST_MICRO_USD)))

    directory.record_usage(TEAM, 2**100)

    assert directory.at_hand().budget(TEAM) is REACHED


def test_a_counter_that_is_reset_begins_anew(clock: Hands) -> None:
    directory = directory_of(clock)
    directory.record_usage(TEAM, 11)
    directory.record_usage(USER, 11)

    revision = directory.reset_usage(TEAM)
    directory.record_usage(TEAM, 9)

    assert revision == 4
    assert (directory.at_hand().budget(TEAM), directory.at_hand().budget(USER)) == (WITHIN, EXCEEDED)


def test_rows_that_stay_keep_what_was_spent(clock: Hands) -> None:
    directory = directory_of(clock)
    for owner in ALL:
        directory.record_usage(owner, 10)

    directory.replace(rows_with(Limit(max_budget_micro_usd=20), member=20))
    raised = states_of(directory)
    directory.replace(rows_with(Limit(max_budget_micro_usd=9), member=9))

    assert raised == {owner: REACHED if owner is GLOBAL else WITHIN for owner in ALL}
    assert states_of(directory) == {owner: REACHED if owner is GLOBAL else EXCEEDED for owner in ALL}


def test_rows_that_were_refused_leave_every_budget_as_it_was(clock: Hands) -> None:
    directory = directory_of(clock)
    directory.record_usage(TEAM, 10)
    before = directory.at_hand()

    with pytest.raises(ValueError, match="twice"):
        directory.replace(Rows(users=(User(id="u"), User(id="u"))))
    directory.record_usage(TEAM, 0)

    assert directory.at_hand() is before


def test_a_row_that_goes_takes_what_was_spent_with_it(clock: Hands) -> None:
    directory = directory_of(clock)
    for owner in ALL:
        directory.record_usage(owner, 10)

    directory.replace(Rows())
    gone = states_of(directory)
    directory.replace(rows_with())

    assert gone == states_of(directory) == {owner: REACHED if owner is GLOBAL else WITHIN for owner in ALL}


def test_what_is_spent_without_a_maximum_counts_once_there_is_one(clock: Hands) -> None:
    directory = directory_of(clock, rows_with(Limit(), member=None))
    for owner in ALL:
        directory.record_usage(owner, 10)
    before = states_of(directory)

    directory.replace(rows_with())

    assert before == {owner: REACHED if owner is GLOBAL else WITHIN for owner in ALL}
    assert set(states_of(directory).values()) == {REACHED}
