"""The checks after the token's own, in their order. The first denial ends a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from usherd.permit.blocked import blocked
from usherd.permit.budgets import budgets, global_budget
from usherd.permit.case import Case, Outcome
from usherd.permit.end_user import end_user, end_user_required
from usherd.permit.entitlement import entitlement
from usherd.permit.guardrails import guardrails
from usherd.permit.identity_required import identity_required
from usherd.permit.internal_role import internal_role
from usherd.permit.model_check import models
from usherd.permit.organization import organization
from usherd.permit.organization_role import organization_role
from usherd.permit.route_check import routes
from usherd.permit.scopes import scopes
from usherd.permit.team import team
from usherd.permit.user import user


class Check(NamedTuple):
    """One check."""

    name: str
    """Its name in explanations."""
    run: Callable[[Case], Outcome]
    at_once: bool = False
    """Whether it is made for administrators, too, who are answered at once (`admin.loaded`)."""


CHECKS: tuple[Check, ...] = (
    Check("internal_role", internal_role, at_once=True),
    Check("scopes", scopes, at_once=True),
    Check("entitlement", entitlement),
    Check("team", team),
    Check("organization", organization),
    Check("user", user),
    Check("identity_required", identity_required),
    Check("end_user", end_user),
    Check("blocked", blocked),
    Check("routes", routes, at_once=True),
    Check("models", models, at_once=True),
    Check("budgets", budgets),
    Check("end_user_required", end_user_required),
    Check("global_budget", global_budget),
    Check("guardrails", guardrails),
    Check("organization_role", organization_role),
)
