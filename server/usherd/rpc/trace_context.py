"""Reads which trace a call belongs to from its metadata (W3C Trace Context): strictly, and only where it is wanted."""

from __future__ import annotations

import re

from usherd.calls import Call, Trace
from usherd.rpc.guard import Begin, Begins, Context

HEADER = "traceparent"

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST = 256
"""Characters that are looked at: version 00 has 55, and what later ones add is not read."""
_SAMPLED = 0x01


def trace_of(context: Context) -> Trace | None:
    """The trace that the caller names. None: none, more than one, or what is none by the specification."""
    found: str | bytes | None = None
    for name, value in context.invocation_metadata() or ():
        if name == HEADER:
            if found is not None:
                return None
            found = value
    return parsed(found) if isinstance(found, str) else None


def parsed(text: str) -> Trace | None:
    """The trace that a `traceparent` names; None for what is not well-formed (section 3.2.2)."""
    match = _TRACEPARENT.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or (match[1] == "00" and match[5] is not None):
        return None
    return Trace(match[2], match[3], bool(int(match[4], 16) & _SAMPLED))


def with_trace(begins: Begins) -> Begins:
    """The same, and each call knows its trace."""

    def traced(method: str) -> Begin:
        begin = begins(method)

        def with_its_trace(context: Context) -> Call:
            call, trace = begin(context), trace_of(context)
            return call if trace is None else call._replace(trace=trace)

        return with_its_trace

    return traced
