"""Writes down every decision before it is answered, or says that it could not."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from usherd.calls import Asked, Call, Ending
from usherd.decide import allows
from usherd.domain import Decision
from usherd.errors import DecisionLogUnavailable
from usherd.telemetry.decision_record import Records
from usherd.telemetry.line_writer import LineWriter

OrElse = Literal["drop", "refuse"]
"""What becomes of a decision whose line cannot be taken: it is answered and counted, or not answered."""

LAST_LINES = 5.0
"""Seconds that the last lines have when the server ends."""


class DecisionLog:
    """A listener (`calls.Listener`). It must hear before others do: what it holds back is not sent."""

    def __init__(
        self, records: Records, writer: LineWriter, *, sample: float, on_full: OrElse, on_error: OrElse
    ) -> None:
        self._records = records
        self._writer = writer
        self._sample = sample
        self._on_full = on_full
        self._on_error = on_error
        self.refused = 0
        """Decisions that were not answered because they could not be written down."""

    @property
    def healthy(self) -> bool:
        """Whether the last attempt to write succeeded (`usherd_decision_log_healthy`)."""
        return self._writer.healthy

    @property
    def written(self) -> int:
        """Lines that the operating system has taken over (`usherd_decision_log_written_total`)."""
        return self._writer.written

    @property
    def dropped(self) -> int:
        """Decisions that were answered and not written down (`usherd_decision_log_dropped_total`)."""
        return self._writer.dropped

    def decided(self, call: Call, request_id: str, asked: Callable[[], Asked], decision: Decision) -> None:
        """Puts the decision's line into the queue. Raises DecisionLogUnavailable where it must and cannot."""
        if self._sample < 1 and allows(decision.verdict) and random.random() >= self._sample:  # noqa: S311
            return
        writer = self._writer
        # Each is looked at once: the thread that writes may change it from one look to the next.
        healthy, full = writer.healthy, writer.full
        trouble = self._on_full if healthy else self._on_error
        if (full or not healthy) and trouble == "refuse":
            self.refused += 1
            raise DecisionLogUnavailable
        if full:
            writer.drop()
        else:
            writer.put(self._records.line(call, request_id, asked, decision))

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        """Decisions alone are written."""

    def open_anew(self) -> None:
        """Has the file opened again: it was moved away, or is about to be looked at."""
        self._writer.open_anew()

    def close(self) -> None:
        """Writes what waits, within `LAST_LINES`. It may block for as long."""
        self._writer.close(LAST_LINES)
