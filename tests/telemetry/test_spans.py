"""Each sampled call is a span that a real OTLP receiver understands; what goes wrong on its way changes no answer."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tools.otlp_sink import Sink, attributes, sink
from tools.rpc_world import CANARY, QUESTION, SERVICE, Answers, call, calling, check_bytes, ready
from usher.v1 import authorization_service_pb2 as api
from usherd.domain import Question
from usherd.errors import KeysUnavailable
from usherd.rpc.limits import Limits
from usherd.rpc.server import Listen, all_alike, serving
from usherd.rpc.trace_context import with_trace
from usherd.telemetry import otlp
from usherd.telemetry.otlp import Otlp
from usherd.telemetry.spans import Spans

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = (("traceparent", f"00-{TRACE}-{SPAN}-01"),)
NOT_SAMPLED = (("traceparent", f"00-{TRACE}-{SPAN}-00"),)
SERVER, ERROR = 2, 2
"""The protocol's numbers of a kind of span and of a status."""


def _sending() -> list[threading.Thread]:
    """The threads that send spans."""
    return [each for each in threading.enumerate() if each.name in ("OtelBatchSpanRecordProcessor", "last-spans")]


@pytest.fixture(autouse=True)
def _nobody_is_left_who_sends() -> Iterator[None]:
    """Else they would draw random numbers in the middle of another test. What they left open is told here, too."""
    yield
    for each in _sending():
        each.join(20)
    gc.collect()
    assert _sending() == []


@asynccontextmanager
async def _traced(
    found: Sink, authorizer: object = None, *, protocol: str = "http/protobuf", sample: float = 1.0, include: str = ""
) -> AsyncIterator[grpc.aio.Channel]:
    """A server with spans, and a channel to it; when the block ends, all of them have been sent."""
    way = Otlp(found.endpoint, protocol, {"x-key": "secret-header"})  # type: ignore[arg-type]
    try:
        async with (
            serving(
                authorizer or Answers(),  # type: ignore[arg-type]
                listen=Listen(address="127.0.0.1:0", grace=1.0),
                limits=Limits(deadline=5.0),
                readiness=ready(),
                begins=with_trace(all_alike(may_explain=True)),
                listener=Spans(way.tracer, sample=sample, include=frozenset(include.split())),
            ) as server,
            calling(server) as channel,
        ):
            yield channel
    finally:
        await asyncio.to_thread(way.close)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_call_is_a_span_of_its_callers_trace(protocol: str) -> None:
    async def wait(question: Question) -> None:
        await asyncio.sleep(0.05)

    before = time.time_ns()
    async with sink(protocol) as found, _traced(found, Answers(then=wait), protocol=protocol) as channel:
        await call(channel, "Check", check_bytes(request_id="r-1"), metadata=SAMPLED)

    (span,) = found.spans
    assert (span.name, span.kind) == (f"{SERVICE[1:]}/Check", SERVER)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert before < span.start_time_unix_nano < span.end_time_unix_nano <= time.time_ns()
    assert 0.05e9 <= span.end_time_unix_nano - span.start_time_unix_nano < 5e9
    assert span.status.code == 0
    assert attributes(span) == {
        "rpc.system.name": "grpc",
        "rpc.method": f"{SERVICE[1:]}/Check",
        "rpc.response.status_code": "OK",
        "usherd.request_id": "r-1",
        "usherd.decision_id": f"{1:026}",
        "usherd.effect": "ALLOW",
        "usherd.reason": "ALLOWED",
        "usherd.policy": "policy",
        "usherd.revision": "store:7",
    }
    assert found.resource["service.name"] == "usherd"
    assert found.headers[0]["x-key"] == "secret-header"
    assert CANARY not in str(found.requests)


async def test_over_http_spans_go_to_the_standard_path_unless_another_is_named() -> None:
    async with sink("http/protobuf") as found:
        async with _traced(found) as channel:
            await call(channel, "Check", check_bytes())
        found.endpoint += "/elsewhere"
        async with _traced(found) as channel:
            await call(channel, "Check", check_bytes())

    assert found.paths == ["/v1/traces", "/elsewhere"]


@pytest.mark.parametrize("name", ["route", "method", "model", "resolved_model"])
async def test_of_the_question_a_span_has_what_is_named(name: str) -> None:
    values = {"route": "/v1/chat/completions", "method": "POST", "model": "gpt-4o", "resolved_model": "gpt-4o"}
    async with sink("http/protobuf") as found, _traced(found, include=name) as channel:
        await call(channel, "Check", check_bytes())

    told = attributes(found.spans[0])
    assert {key: told.get(f"usherd.{key}") for key in values} == dict.fromkeys(values) | {name: values[name]}


async def test_a_trace_that_its_caller_does_not_sample_has_no_span() -> None:
    async with sink("http/protobuf") as found, _traced(found) as channel:
        await call(channel, "Check", check_bytes(), metadata=NOT_SAMPLED)
        await call(channel, "Check", check_bytes(request_id="last"))

    (span,) = found.spans
    assert attributes(span)["usherd.request_id"] == "last"
    assert span.parent_span_id == b""


async def test_of_calls_without_a_trace_a_share_begins_one() -> None:
    async with sink("http/protobuf") as found, _traced(found, sample=0.2) as channel:
        for _ in range(300):
            await call(channel, "Check", check_bytes())

    assert 20 < len(found.spans) < 120
    assert len({span.trace_id for span in found.spans}) == len(found.spans)


async def test_a_fault_is_an_error_of_its_span_and_has_no_decision() -> None:
    async with sink("http/protobuf") as found, _traced(found, Answers(fault=KeysUnavailable())) as channel:
        await call(channel, "Check", check_bytes(request_id="r-1"))
        await call(channel, "Check", b"\xff")

    first, second = found.spans
    assert first.status.code == ERROR
    assert attributes(first) == {
        "rpc.system.name": "grpc",
        "rpc.method": f"{SERVICE[1:]}/Check",
        "rpc.response.status_code": "UNAVAILABLE",
        "error.type": "UNAVAILABLE",
        "usherd.fault": "KEYS_UNAVAILABLE",
    }
    assert second.status.code == 0  # the caller's mistake
    assert attributes(second)["rpc.response.status_code"] == "INVALID_ARGUMENT"


async def test_calls_at_the_same_time_have_each_their_own_decision() -> None:
    async def wait(question: Question) -> None:
        await asyncio.sleep(0.05 if question.model == "even" else 0.01)

    def asked(number: int) -> bytes:
        request = api.CheckRequest(question=QUESTION, options=api.Options(request_id=f"r-{number}"))
        request.question.model = "odd" if number % 2 else "even"
        return request.SerializeToString()

    async with sink("http/protobuf") as found, _traced(found, Answers(then=wait), include="model") as channel:
        await asyncio.gather(*(call(channel, "Check", asked(number)) for number in range(40)))

    told: list[Any] = [attributes(span) for span in found.spans]
    assert {each["usherd.request_id"]: each["usherd.model"] for each in told} == {
        f"r-{number}": "odd" if number % 2 else "even" for number in range(40)
    }


async def test_a_batch_is_one_span_that_counts() -> None:
    items = [api.BatchCheckRequest.Item(id=str(number), question=QUESTION) for number in range(5)]
    items[3].question.route = "/\0"
    async with sink("http/protobuf") as found, _traced(found) as channel:
        await call(channel, "BatchCheck", api.BatchCheckRequest(items=items).SerializeToString())

    (span,) = found.spans
    told = attributes(span)
    assert (told["usherd.decisions"], told["usherd.denied"]) == (5, 1)
    assert "usherd.decision_id" not in told


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_receiver_that_fails_changes_no_answer_and_is_told_of_once(
    protocol: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "PACE", 0.05)
    async with sink(protocol) as found:
        found.broken = True
        async with _traced(found, protocol=protocol) as channel:
            for _ in range(3):
                outcome = await call(channel, "Check", check_bytes())
                assert outcome.code is grpc.StatusCode.OK
                await asyncio.sleep(0.2)

    assert [each.getMessage() for each in caplog.records] == ["spans_lost"]
    assert "secret-header" not in str([vars(each) for each in caplog.records])


async def test_a_receiver_that_is_elsewhere_now_is_not_followed_and_its_spans_are_told_as_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with sink("http/protobuf") as found, sink("http/protobuf") as other:
        found.moved_to = f"{other.endpoint}/v1/traces"
        async with _traced(found) as channel:
            await call(channel, "Check", check_bytes())

    assert len(found.requests) == 1
    assert other.headers == []
    assert [each.getMessage() for each in caplog.records] == ["spans_lost"]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_receiver_that_is_not_there_keeps_nobody_waiting(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "LAST_SPANS", 0.5)
    begin = time.monotonic()
    async with _traced(Sink(endpoint="http://127.0.0.1:1"), protocol=protocol) as channel:
        outcome = await call(channel, "Check", check_bytes())

    assert outcome.code is grpc.StatusCode.OK
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_what_could_not_be_sent_at_the_end_is_not_tried_again_behind_it(
    protocol: Literal["grpc", "http/protobuf"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "LAST_SPANS", 0.2)
    monkeypatch.setattr(otlp, "PATIENCE", 300.0)
    way = Otlp("http://127.0.0.1:1", protocol, {})
    way.tracer.start_span("one").end()

    way.close()
    for each in _sending():
        each.join(20)

    assert _sending() == []


def test_spans_that_cannot_be_sent_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()

    class Stuck(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            assert free.wait(20)
            return SpanExportResult.SUCCESS

    for name, value in (("QUEUE", 100), ("BATCH", 100), ("LAST_SPANS", 0.1)):
        monkeypatch.setattr(otlp, name, value)
    monkeypatch.setattr(otlp, "_exporter", lambda *arguments: Stuck())
    way = Otlp("http://127.0.0.1:1", "http/protobuf", {})
    for number in range(1000):
        way.tracer.start_span(f"canary-{number}").end()
    kept = sum(isinstance(each, ReadableSpan) and each.name.startswith("canary-") for each in gc.get_objects())
    begin = time.monotonic()
    way.close()

    # Those of the queue, and those of a batch that is being sent.
    assert 100 <= kept <= 201
    assert time.monotonic() - begin < 2
    free.set()
