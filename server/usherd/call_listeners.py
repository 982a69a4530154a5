"""Opens those who hear of every call: the decision log, the debug log, and the spans, as far as they are wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from usherd.calls import Listener, Listeners
from usherd.config.settings import DecisionLogSettings, Settings, TracesSettings
from usherd.telemetry.counts import Counts
from usherd.telemetry.decision_lines import DecisionLines
from usherd.telemetry.decision_log import DecisionLog
from usherd.telemetry.decision_record import Fields, Records
from usherd.telemetry.line_file import LineFile, LineFileUnusable, check_writable
from usherd.telemetry.line_writer import LineWriter


class DecisionLogUnusable(Exception):
    """It cannot be written. The text names the key, and is for the operator."""


class CallListeners(NamedTuple):
    """Who listens."""

    listener: Listener | None
    """All of them as one; None: nobody does."""
    wants_trace: bool
    """Whether one of them asks which trace a call belongs to."""
    decision_log: DecisionLog | None
    """None: there is none. It counts what it has `written`, `dropped` and `refused`."""

    def open_anew(self) -> None:
        """Has files opened again that may have been moved away."""
        if self.decision_log is not None:
            self.decision_log.open_anew()


@asynccontextmanager
async def call_listeners(settings: Settings, counts: Counts | None = None) -> AsyncIterator[CallListeners]:
    """Those whom the settings name; what they hold is written and sent when the block ends, within seconds.

    `counts` hears of all calls, too. Raises DecisionLogUnusable.
    """
    async with AsyncExitStack() as stack:
        listeners: list[Listener] = []
        log = None if settings.decision_log is None else _decision_log(settings.decision_log)
        if log is not None:
            _at_the_end(stack, log.close)
            # Before all others: what it holds back is not sent, and so nobody else may tell of it.
            listeners.append(log)
        if settings.log_level == "debug":
            listeners.append(DecisionLines())
        if settings.traces is not None:
            listeners.append(_spans(settings.traces, stack))
        wants_trace = bool(listeners)
        if counts is not None:
            # Last: what one before it held back was not sent.
            listeners.append(counts)
        yield CallListeners(Listeners(listeners) if listeners else None, wants_trace, log)


def check_decision_log(settings: Settings) -> None:
    """What `call_listeners` would refuse of it, as far as that can be known before. Raises DecisionLogUnusable."""
    if settings.decision_log is not None and settings.decision_log.file is not None:
        try:
            check_writable(settings.decision_log.file)
        except LineFileUnusable as unusable:
            raise _unusable(unusable) from None


def _decision_log(wanted: DecisionLogSettings) -> DecisionLog:
    try:
        writer = LineWriter(LineFile(wanted.file), wanted.queue)
    except LineFileUnusable as unusable:
        raise _unusable(unusable) from None
    fields = Fields(include=wanted.include, principal=wanted.principal, claims=wanted.claims, sample=wanted.sample)
    return DecisionLog(Records(fields), writer, sample=wanted.sample, on_full=wanted.on_full, on_error=wanted.on_error)


def _spans(wanted: TracesSettings, stack: AsyncExitStack) -> Listener:
    # Only where it is wanted: the library is an extra, and takes a while to import.
    from usherd.telemetry.otlp import Otlp
    from usherd.telemetry.spans import Spans

    otlp = Otlp(wanted.endpoint, wanted.protocol, dict(wanted.headers))
    _at_the_end(stack, otlp.close)
    return Spans(otlp.tracer, sample=wanted.sample, include=wanted.include)


def _at_the_end(stack: AsyncExitStack, close: Callable[[], None]) -> None:
    stack.push_async_callback(asyncio.to_thread, close)


def _unusable(unusable: LineFileUnusable) -> DecisionLogUnusable:
    return DecisionLogUnusable(
        f"telemetry.decision_log.file: cannot be written ({unusable}); expected a file, or a folder to make it in,"
        " that usherd may write"
    )
