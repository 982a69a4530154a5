"""Where the policy asks for it, a token must name a user or a team."""

from __future__ import annotations

from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason


def identity_required(case: Case) -> Outcome:
    """Denies a token that names neither."""
    rules, options = case.rules.policy.internal_roles, case.rules.options
    one_switch = options.enforce_rbac_id == "one_switch"
    if not (rules.enforce_id or (one_switch and rules.enforce)):
        return NOT_APPLICABLE
    if case.identity.profile.user or case.choice.team_id:
        return None
    return Denied(Reason.IDENTITY_REQUIRED, "The token names no user and no team.")
