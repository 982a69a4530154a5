"""Reads what an introspection endpoint answers (RFC 7662, section 2.2), and says how long it counts."""

from __future__ import annotations

from types import MappingProxyType

from usherd.authenticate import strict_json
from usherd.ports import Introspected
from usherd.stores.documents import Cause, LoadFailed
from usherd.stores.memory_cache import Entry

ANSWER_SIZE = 64 * 1024
"""The most bytes of an answer."""

_INACTIVE = b"{}"
"""What is kept of an answer that says no: whatever else it says, RFC 7662 lets nobody rely on."""


def entry_of(body: bytes, asked_at: float, active_for: float, inactive_for: float) -> Entry:
    """What is kept of an answer: until when, and its claims. `asked_at` is when the question went out.

    An answer with an `exp` counts no longer than that, and a no for no longer than a yes. Raises LoadFailed when it is
    no answer: only `true` and `false` say whether a token is active.
    """
    try:
        value = strict_json.load(body, max_size=ANSWER_SIZE)
    except strict_json.StrictJsonError:
        raise LoadFailed(Cause.NOT_JSON) from None
    active = value.get("active") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(active, bool):
        raise LoadFailed(Cause.NOT_AN_ANSWER)
    if not active:
        return Entry(asked_at, asked_at + min(inactive_for, active_for), _INACTIVE)
    until = asked_at + active_for
    expires = value.get("exp")
    if isinstance(expires, (int, float)) and not isinstance(expires, bool):
        until = min(until, float(expires))
    return Entry(asked_at, until, body)


def answer_of(entry: Entry) -> Introspected | None:
    """The answer that was kept; None when it is none. Its lists and objects are nobody else's."""
    try:
        value = strict_json.load(entry.value, max_size=ANSWER_SIZE)
    except strict_json.StrictJsonError:
        return None
    if not isinstance(value, dict):
        return None
    active = value.pop("active", False) is True
    return Introspected(active, MappingProxyType(value), entry.made_at, entry.expires_at)
