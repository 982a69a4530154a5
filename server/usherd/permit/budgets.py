"""No request on an exhausted budget. Spend is counted by the store; a check sees only where it stands."""

from __future__ import annotations

from collections.abc import Iterator

from usherd.facts import BudgetKind, BudgetOwner, BudgetState
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason

_WITHOUT_MODEL = frozenset({"/models", "/v1/models"})
"""Routes of the language models that cost nothing: the global budget does not close them."""

_REASONS = {
    BudgetKind.TEAM: Reason.TEAM_BUDGET_EXHAUSTED,
    BudgetKind.USER: Reason.USER_BUDGET_EXHAUSTED,
    BudgetKind.MEMBER: Reason.MEMBER_BUDGET_EXHAUSTED,
    BudgetKind.ORGANIZATION: Reason.ORGANIZATION_BUDGET_EXHAUSTED,
    BudgetKind.END_USER: Reason.END_USER_BUDGET_EXHAUSTED,
    BudgetKind.GLOBAL: Reason.GLOBAL_BUDGET_EXHAUSTED,
}


def budgets(case: Case) -> Outcome:
    """Denies for the first exhausted budget of: team, user, member, organization, end user."""
    if not case.rules.policy.budgets.enforce:
        return NOT_APPLICABLE
    made = False
    for owner in _owners(case):
        made = True
        if _exhausted(case, owner):
            return Denied(_REASONS[owner.kind], f"The budget of the {owner.kind.name.lower()} is exhausted.")
    return None if made else NOT_APPLICABLE


def global_budget(case: Case) -> Outcome:
    """Denies requests to the language models when what everyone may spend together is exhausted."""
    rules, asked = case.rules, case.asked
    budget = rules.policy.budgets
    if not budget.enforce or not budget.global_max_micro_usd or asked.route is None:
        return NOT_APPLICABLE
    if asked.route in _WITHOUT_MODEL or not rules.is_llm(asked.method, asked.route):
        return NOT_APPLICABLE
    if _exhausted(case, BudgetOwner(BudgetKind.GLOBAL)):
        return Denied(Reason.GLOBAL_BUDGET_EXHAUSTED, "The global budget is exhausted.")
    return None


def _owners(case: Case) -> Iterator[BudgetOwner]:
    """The budgets that count: only those that have a maximum, so that no others are read."""
    team, user, organization = case.choice.team, case.binding_user, case.binding_organization
    if team is not None and team.limit.max_budget_micro_usd is not None:
        yield BudgetOwner(BudgetKind.TEAM, team.id)
    if user is not None and user.limit.max_budget_micro_usd is not None:
        yield BudgetOwner(BudgetKind.USER, user.id)
    known = case.identity.user
    if case.rules.options.member_budget == "enforced" and team is not None and known is not None:
        member = case.reading.member(team.id, known.id)
        if member is not None and member.max_budget_micro_usd is not None:
            yield BudgetOwner(BudgetKind.MEMBER, known.id, team.id)
    if organization is not None and organization.limit.max_budget_micro_usd is not None:
        yield BudgetOwner(BudgetKind.ORGANIZATION, organization.id)
    end_user = case.identity.end_user
    if end_user is not None and end_user.limit.max_budget_micro_usd is not None:
        yield BudgetOwner(BudgetKind.END_USER, end_user.id)


def _exhausted(case: Case, owner: BudgetOwner) -> bool:
    state = case.reading.budget(owner)
    least = BudgetState.REACHED if case.rules.options.budget_boundary == "reached" else BudgetState.EXCEEDED
    return state >= least
