"""Nobody acts who is blocked, nor for anyone who is: administrators are no exception."""

from __future__ import annotations

from usherd.permit.case import Case, Denied, Outcome
from usherd.reasons import Reason


def blocked(case: Case) -> Outcome:
    """Denies for the first blocked one of: user, chosen team, organization, end user."""
    user, team, end_user = case.binding_user, case.choice.team, case.identity.end_user
    organization, options = case.binding_organization, case.rules.options
    own = case.identity.profile.is_own_session
    if own and case.identity.user is not None and case.identity.user.blocked:
        return Denied(Reason.USER_BLOCKED, "The directory blocks the session's user.")
    if user is not None and user.blocked and options.user_blocked == "enforced":
        return Denied(Reason.USER_BLOCKED, "The directory blocks the user.")
    if team is not None and team.blocked:
        return Denied(Reason.TEAM_BLOCKED, "The directory blocks the chosen team.")
    if organization is not None and organization.blocked:
        return Denied(Reason.ORGANIZATION_BLOCKED, "The directory blocks the organization.")
    if end_user is not None and end_user.blocked and options.end_user_blocked == "enforced":
        return Denied(Reason.END_USER_BLOCKED, "The directory blocks the end user.")
    return None
