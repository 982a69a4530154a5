"""A directory with one owner of each kind of budget, all with the same maximum."""

from __future__ import annotations

from stores.support import Hands
from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, EndUser, Membership, Organization, Rows, Team, User
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory

WITHIN, REACHED, EXCEEDED = BudgetState
DAY = 86_400
MIDNIGHT = 20_000 * DAY
"""Some midnight UTC, in seconds since the epoch."""

TEN = Limit(max_budget_micro_usd=10)
TEN_A_DAY = Limit(max_budget_micro_usd=10, budget_reset_seconds=DAY)

TEN_TOGETHER = Budget(10)

GLOBAL = BudgetOwner(BudgetKind.GLOBAL)
ORGANIZATION = BudgetOwner(BudgetKind.ORGANIZATION, "o")
TEAM = BudgetOwner(BudgetKind.TEAM, "t")
USER = BudgetOwner(BudgetKind.USER, "u")
MEMBER = BudgetOwner(BudgetKind.MEMBER, "u", "t")
END_USER = BudgetOwner(BudgetKind.END_USER, "e")
ALL = (GLOBAL, ORGANIZATION, TEAM, USER, MEMBER, END_USER)


def rows_with(limit: Limit = TEN, member: int | None = 10) -> Rows:
    return Rows(
        organizations=(Organization(id="o", limit=limit),),
        teams=(Team(id="t", limit=limit, members={"u": Membership(max_budget_micro_usd=member)}),),
        users=(User(id="u", limit=limit),),
        end_users=(EndUser(id="e", limit=limit),),
    )


def directory_of(clock: Hands, rows: Rows | None = None, everyone: Budget = TEN_TOGETHER) -> MemoryDirectory:
    rows = rows_with() if rows is None else rows
    return MemoryDirectory("store", rows, bare_ids_for="idp", everyone=everyone, clock=clock)


def states_of(directory: MemoryDirectory) -> dict[BudgetOwner, BudgetState]:
    facts = directory.at_hand()
    return {owner: facts.budget(owner) for owner in ALL}
