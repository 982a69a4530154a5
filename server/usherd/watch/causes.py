"""Says what has ended a decision."""

from __future__ import annotations

from usherd.authenticate.kept_token import Lapse
from usherd.domain import Verdict
from usherd.reasons import Reason
from usherd.watch.events import Cause

_BY_REASON = {
    Reason.TOKEN_EXPIRED: Cause.TOKEN_EXPIRED,
    Reason.UNKNOWN_KEY: Cause.KEY_REMOVED,
    Reason.SIGNATURE_INVALID: Cause.KEY_REMOVED,
    # Of a session that was genuine, no other part can have become invalid.
    Reason.SESSION_INVALID: Cause.KEY_REMOVED,
}


def cause_of_end(verdict: Verdict, heard: Cause | None) -> Cause:
    """Why a decision ended that denies now for what became of the token; `heard` is why it was looked at."""
    if verdict.reason is Reason.TOKEN_REVOKED:
        return Cause.SESSION_REVOKED if heard is Cause.SESSION_REVOKED else Cause.TOKEN_REVOKED
    return _BY_REASON.get(verdict.reason, Cause.TOKEN_REFUSED)


def cause_of_lapse(lapse: Lapse) -> Cause:
    """Why a decision can be kept true no longer."""
    return Cause.POLICY if lapse is Lapse.RULES else Cause.INTROSPECTION
