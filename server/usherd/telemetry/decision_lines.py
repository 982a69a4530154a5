"""Writes a line of the log for each decision, and for each call without one: its ids, its effect and its reason."""

from __future__ import annotations

import logging
from collections.abc import Callable

from usherd.calls import Asked, Call, Ending
from usherd.domain import Decision
from usherd.errors import FaultReason

_log = logging.getLogger("usherd.decisions")


class DecisionLines:
    """A listener (`calls.Listener`) for the level `debug`."""

    def decided(self, call: Call, request_id: str, asked: Callable[[], Asked], decision: Decision) -> None:
        """Writes the line."""
        verdict = decision.verdict
        _log.debug(
            "decision",
            extra={
                "decision_id": decision.decision_id,
                "effect": verdict.effect.name,
                "reason": verdict.reason.name,
                "request_id": request_id,
                **_of(call),
            },
        )

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        """Writes a line for a call that ended with a fault."""
        if isinstance(ending, FaultReason):
            took = round(seconds * 1000, 3)
            _log.debug("no_decision", extra={"reason": ending.name, "milliseconds": took, **_of(call)})


def _of(call: Call) -> dict[str, str]:
    trace_id = "" if call.trace is None else call.trace.trace_id
    known = {"method": call.method, "caller": call.caller, "trace_id": trace_id}
    return {name: value for name, value in known.items() if value}
