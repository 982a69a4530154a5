"""The route must be in canonical form, denied by nothing, and granted by something."""

from __future__ import annotations

from usherd.permit.case import Case, Denied, Outcome
from usherd.reasons import Reason


def routes(case: Case) -> Outcome:
    """Denies by form, by `routes.allowed`, by a role's deny list, by `routes.admin_only`, then for lack of a grant."""
    asked, rules = case.asked, case.rules
    if asked.route_fault is not None or asked.route is None:
        return Denied(asked.route_fault or Reason.ROUTE_AMBIGUOUS, "The route or method is not in canonical form.")
    method, route = asked.method, asked.route
    if rules.allowed is not None and not rules.allowed.grants(method, route):
        return Denied(Reason.ROUTE_DENIED, "routes.allowed does not have the route.")
    for role in case.roles:
        if role.denied_routes.denies(method, route):
            return Denied(Reason.ROUTE_DENIED, f"The role {role.name} denies the route.")
    bound = rules.options.user_routes == "enforced" and not case.identity.is_admin
    if bound and rules.admin_only.denies(method, route):
        return Denied(Reason.ROUTE_DENIED, "routes.admin_only has the route, and the holder is no administrator.")
    if case.choice.shortfall is Reason.ROUTE_NOT_GRANTED:
        return Denied(Reason.ROUTE_NOT_GRANTED, "No grant of the holder's roles, team or user covers the route.")
    return None
