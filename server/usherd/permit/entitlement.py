"""A genuine token alone is worth nothing: something in it must entitle its holder."""

from __future__ import annotations

from usherd.permit.case import Case, Denied, Outcome
from usherd.reasons import Reason


def entitlement(case: Case) -> Outcome:
    """Denies a holder without admin scope, named role, existing team or known user."""
    if case.roles or case.identity.is_admin or case.choice.claimed or case.identity.user is not None:
        return None
    return Denied(
        Reason.NOT_ENTITLED, "The token holds no role, names no existing team, and its holder is no known user."
    )
