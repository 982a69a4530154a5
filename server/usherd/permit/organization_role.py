"""Some routes are for administrators of the organization that the request acts on (seed behaviour, 8.3, row 9)."""

from __future__ import annotations

from usherd.facts import DIRECTORY_ADMIN_ROLE
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason

NEW_ORGANIZATION = "/organization/new"
NEW_TEAM = "/team/new"


def organization_role(case: Case) -> Outcome:
    """Denies whoever is no administrator of all, nor of the organization in question, on these routes.

    As the reference does it, it is made for known users only, whose row alone says who administers.
    """
    user, route, options = case.identity.user or case.new_user, case.asked.route, case.rules.options
    if route is None or case.identity.is_admin:
        return NOT_APPLICABLE
    if options.organization_match == "ignored" and user is None:
        return NOT_APPLICABLE
    if options.directory_role == "ignored" and user is not None and user.role == DIRECTORY_ADMIN_ROLE:
        return NOT_APPLICABLE
    if route == NEW_ORGANIZATION:
        return _denied("Only administrators make organizations.")
    for_admins = case.rules.organization_admin.denies(case.asked.method, route)
    if not for_admins and not (route == NEW_TEAM and user is not None and user.organizations):
        return NOT_APPLICABLE
    asked = case.question.organization_id
    if not asked or user is None or asked not in user.administers:
        return _denied("The user is no administrator of the organization that the request acts on.")
    return None


def _denied(note: str) -> Denied:
    return Denied(Reason.ORGANIZATION_ROLE_REQUIRED, note)
