"""Writes a line of the log for each decision: its ids, its effect and its reason."""

from __future__ import annotations

import logging
from collections.abc import Callable

from usherd.calls import Asked, Call, Ending
from usherd.domain import Decision

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
            },
        )

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        """Decisions alone are written."""
