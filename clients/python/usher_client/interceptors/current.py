"""The decision of the call that is being served."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from usher_client.decision import Decision

_CURRENT: Final[ContextVar[Decision | None]] = ContextVar("usher_decision", default=None)


def current_decision() -> Decision:
    """The decision that let this call pass. Raises LookupError where nobody was asked.

    Metadata that names a user is the sender's word: who calls stands here alone.
    """
    decision = _CURRENT.get()
    if decision is None or decision.allowed is not True:
        raise LookupError("usherd was not asked about this call")
    return decision


def set_current(decision: Decision | None) -> None:
    """Makes that the decision of what runs in this context."""
    _CURRENT.set(decision)
