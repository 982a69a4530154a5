"""Measures what it costs that somebody listens: the same known questions, with and without, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.company import Company
from bench.in_process import authorizer_of
from bench.report import Figure
from usher.v1 import authorization_service_pb2 as api
from usherd.app import spare_the_collector
from usherd.authorizer import Authorizer
from usherd.calls import Call, Ended, Listener, Trace
from usherd.rpc import translate
from usherd.rpc.answers import check_response
from usherd.telemetry.decision_log import DecisionLog
from usherd.telemetry.decision_record import Fields, Records
from usherd.telemetry.line_file import LineFile
from usherd.telemetry.line_writer import LineWriter
from usherd.telemetry.otlp import Otlp
from usherd.telemetry.spans import Spans

QUESTIONS = 1000
"""As many as a second of a busy server: the disk, and not the queue, takes what is written."""
PASSES = 4
_CALL = Call("/usher.v1.AuthorizationService/Check")
_TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", False)


def measure(company: Company, folder: Path, rounds: int) -> list[Figure]:
    """Microseconds a known question costs more with each listener, and how many times as much as without."""
    spare_the_collector()
    authorizer, requests = authorizer_of(company.config), company.check[:QUESTIONS]
    for _ in range(3):
        _pass(authorizer, requests, None, _CALL)
    with ExitStack() as stack:
        sampled = _CALL._replace(trace=_TRACE._replace(sampled=True))
        listeners: list[tuple[str, Listener, Call]] = [
            ("decision log", _log(stack, folder / "few.jsonl", Fields()), _CALL),
            (
                "decision log with route, model, user, team",
                _log(
                    stack,
                    folder / "many.jsonl",
                    Fields(include=frozenset({"route", "model"}), principal=("user", "team")),
                ),
                _CALL,
            ),
            ("traces, call not sampled", _spans(stack), _CALL._replace(trace=_TRACE)),
            ("traces, call sampled", _spans(stack), sampled),
        ]
        figures = []
        for name, listener, call in listeners:
            more, times = [], []
            for number in range(rounds):
                sides: list[tuple[Listener | None, Call]] = [(None, _CALL), (listener, call)]
                # Whoever goes second finds the caches of the first. The best pass is the least disturbed.
                costs = {
                    side[0] is None: min(_pass(authorizer, requests, *side) for _ in range(PASSES))
                    for side in (sides if number % 2 else reversed(sides))
                }
                more.append(costs[False] - costs[True])
                times.append(costs[False] / costs[True])
            figures.append(Figure(f"{name}: more for a known question", "us", tuple(more)))
            figures.append(Figure(f"{name}: over none", "times", tuple(times)))
    return figures


def _log(stack: ExitStack, file: Path, fields: Fields) -> DecisionLog:
    log = DecisionLog(
        Records(fields), LineWriter(LineFile(file), 1_000_000), sample=1.0, on_full="refuse", on_error="refuse"
    )
    stack.callback(log.close)
    return log


def _spans(stack: ExitStack) -> Spans:
    # Nobody listens there: what a span costs the call that it is of is measured, not its way.
    otlp = Otlp("http://127.0.0.1:1", "http/protobuf", {})
    stack.callback(otlp.close)
    return Spans(otlp.tracer, sample=0.01, include=frozenset())


def _pass(authorizer: Authorizer, requests: Sequence[bytes], listener: Listener | None, call: Call) -> float:
    begin = time.perf_counter()
    for request in requests:
        asked = api.CheckRequest.FromString(request)
        decision = authorizer.at_hand(translate.encoded(asked), lambda asked=asked: translate.question(asked))
        if decision is None:
            _ask(authorizer, asked)
            continue
        if listener is not None:
            reads: Callable[[], translate.Asked] = lambda asked=asked: translate.asked(asked.question)  # noqa: E731
            listener.decided(call, "bench-000000001", reads, decision)
        check_response(decision, keep=True)
        if listener is not None:
            listener.ended(call, Ended.ANSWERED, 0.001)
    return (time.perf_counter() - begin) / len(requests) * 1e6


def _ask(authorizer: Authorizer, asked: api.CheckRequest) -> None:
    try:
        authorizer.authorize(translate.question(asked)).send(None)
    except StopIteration:
        return
    raise AssertionError("a question in process waited for something")
