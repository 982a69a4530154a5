"""The checks after the token's own, in their order. The first denial ends a question."""

from __future__ import annotations

from collections.abc import Callable

from usherd.permit.blocked import blocked
from usherd.permit.case import Case, Outcome
from usherd.permit.end_user import end_user
from usherd.permit.entitlement import entitlement
from usherd.permit.model_check import models
from usherd.permit.organization import organization
from usherd.permit.route_check import routes
from usherd.permit.team import team

Check = Callable[[Case], Outcome]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("entitlement", entitlement),
    ("team", team),
    ("organization", organization),
    ("end_user", end_user),
    ("blocked", blocked),
    ("routes", routes),
    ("models", models),
)
"""(name in explanations, check)."""
