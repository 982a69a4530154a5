"""The end user's id must be one that an end user can have."""

from __future__ import annotations

from usherd.ids import well_formed_id
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason


def end_user(case: Case) -> Outcome:
    """Denies a malformed id. An unknown end user is nothing against the request: they need no entry."""
    if not case.identity.end_user_id:
        return NOT_APPLICABLE
    if not well_formed_id(case.identity.end_user_id):
        return Denied(Reason.END_USER_INVALID, "The question's end_user_id is not 1 to 256 printable characters.")
    return None
