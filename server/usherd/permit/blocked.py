"""Nobody acts who is blocked, nor for anyone who is: administrators are no exception."""

from __future__ import annotations

from usherd.permit.case import Case, Denied, Outcome
from usherd.reasons import Reason


def blocked(case: Case) -> Outcome:
    """Denies for the first blocked one of: user, chosen team, organization, end user."""
    user, team, end_user = case.identity.user, case.choice.team, case.identity.end_user
    options = case.rules.options
    counts = options.user_blocked == "enforced" and (team is None or options.user_limits_with_team == "enforced")
    if user is not None and user.blocked and counts:
        return Denied(Reason.USER_BLOCKED, "The directory blocks the user.")
    if team is not None and team.blocked:
        return Denied(Reason.TEAM_BLOCKED, "The directory blocks the chosen team.")
    organization = case.organization if options.organization_limits == "enforced" else None
    if organization is not None and organization.blocked:
        return Denied(Reason.ORGANIZATION_BLOCKED, "The directory blocks the organization.")
    if end_user is not None and end_user.blocked and options.end_user_blocked == "enforced":
        return Denied(Reason.END_USER_BLOCKED, "The directory blocks the end user.")
    return None
