"""Makes a span of each call that belongs to a sampled trace: when it was, how it ended, and what was decided.

The names are those of OpenTelemetry's semantic conventions for gRPC (1.45), and under `usherd.` our own.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from usherd.callers import ENVOY
from usherd.calls import Asked, Call, Ended, Ending, Trace
from usherd.decide import allows
from usherd.domain import Decision, DependencyKind
from usherd.errors import CODES, Code, FaultReason
from usherd.telemetry.log import redacted, redacted_id, redacted_path

OURS = ("/usher.v1.", f"/{ENVOY}/")
"""What the names of methods begin with whose calls have spans. Health checks and reflection have none."""
_SERVERS_FAULT = frozenset({Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNAVAILABLE})
"""Codes that make a server's span an error; others are the caller's doing."""

_log = logging.getLogger("usherd.traces")


@dataclass(slots=True)
class _Decided:
    """What was decided in one call. Of a batch: how often, and the last."""

    request_id: str
    asked: Callable[[], Asked]
    decision: Decision
    decisions: int = 0
    denied: int = 0


_decided: ContextVar[_Decided | None] = ContextVar("decided", default=None)
"""Each call is a task, with a context of its own."""


class Spans:
    """A listener (`calls.Listener`)."""

    def __init__(self, tracer: Tracer, *, sample: float, include: frozenset[str]) -> None:
        """`sample` is the share of calls that begin a trace, of those that come without one."""
        self._tracer = tracer
        self._sample = sample
        self._include = include

    def decided(self, call: Call, request_id: str, asked: Callable[[], Asked], decision: Decision) -> None:
        """Remembers the decision for the call's span."""
        if call.trace is not None and not call.trace.sampled:
            return
        decided = _decided.get()
        if decided is None:
            decided = _Decided(request_id, asked, decision)
            _decided.set(decided)
        decided.request_id, decided.asked, decided.decision = request_id, asked, decision
        decided.decisions += 1
        decided.denied += not allows(decision.verdict)

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        """Makes the span, if the call's is to be made."""
        if not call.method.startswith(OURS):
            return
        sampled = random.random() < self._sample if call.trace is None else call.trace.sampled  # noqa: S311
        if not sampled:
            return
        try:
            self._span(call, ending, seconds)
        except Exception as bug:
            _log.warning("span_not_made", extra={"error": type(bug).__name__})

    def _span(self, call: Call, ending: Ending, seconds: float) -> None:
        end = time.time_ns()
        name = call.method.removeprefix("/")
        attributes: dict[str, str | int | bool] = {"rpc.system.name": "grpc", "rpc.method": name}
        code = _code(ending)
        attributes["rpc.response.status_code"] = code
        if isinstance(ending, FaultReason):
            attributes["error.type"] = code
            attributes["usherd.fault"] = ending.name
        if call.caller:
            attributes["usherd.caller"] = redacted_id(call.caller)
        if (decided := _decided.get()) is not None:
            attributes |= self._of(decided)
        span = self._tracer.start_span(
            name,
            context=_parent(call.trace),
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=end - int(seconds * 1e9),
        )
        if isinstance(ending, FaultReason) and CODES[ending] in _SERVERS_FAULT:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    def _of(self, decided: _Decided) -> dict[str, str | int | bool]:
        found: dict[str, str | int | bool] = {"usherd.request_id": redacted(decided.request_id)}
        if decided.decisions > 1:
            return found | {"usherd.decisions": decided.decisions, "usherd.denied": decided.denied}
        decision = decided.decision
        verdict, asked = decision.verdict, decided.asked()
        ids = {each.kind: each.id for each in verdict.depends_on}
        found["usherd.decision_id"] = decision.decision_id
        found["usherd.effect"] = verdict.effect.name
        found["usherd.reason"] = verdict.reason.name
        found["usherd.policy"] = ids.get(DependencyKind.POLICY, "")
        found["usherd.revision"] = decision.revision
        texts = {
            "route": asked.route.partition("?")[0],
            "method": asked.method,
            "model": asked.model,
            "resolved_model": verdict.resolved_model,
        }
        for name, text in texts.items():
            if name in self._include and text is not None:
                found[f"usherd.{name}"] = redacted_path(text)
        return found


def _code(ending: Ending) -> str:
    if isinstance(ending, FaultReason):
        return CODES[ending].name
    return "OK" if ending is Ended.ANSWERED else ending.name


def _parent(trace: Trace | None) -> Context:
    if trace is None:
        return Context()
    parent = SpanContext(
        int(trace.trace_id, 16), int(trace.span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())
