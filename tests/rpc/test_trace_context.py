"""A call knows its trace where somebody wants to know, and a bug in the log names the call that met it."""

from __future__ import annotations

import logging
from typing import Any

import grpc
import pytest

from tools.rpc_world import CANARY, QUESTION, SERVICE, Answers, call, calling, check_bytes, ready
from usher.v1 import authorization_service_pb2 as api
from usherd.calls import Asked, Call, Ending, Trace
from usherd.domain import Decision
from usherd.errors import InternalFault
from usherd.rpc.limits import Limits
from usherd.rpc.server import Listen, all_alike, serving
from usherd.rpc.trace_context import parsed, trace_of, with_trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (PARENT, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
    ],
)
def test_a_trace_is_read_as_the_specification_says(text: str, sampled: bool) -> None:
    assert parsed(text) == Trace(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        PARENT.upper(),
        f" {PARENT}",
        f"{PARENT}\n",
        f"{PARENT}-",
        f"{PARENT}-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"cc-{TRACE}-{SPAN}-01-" + "a" * 300,
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}a-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
    ],
)
def test_what_is_no_trace_is_none(text: str) -> None:
    assert parsed(text) is None


class Heard:
    """A listener that remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def decided(self, call: Call, request_id: str, asked: Any, decision: Decision) -> None:
        assert asked() == Asked("/v1/chat/completions", "POST", "gpt-4o")

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        self.calls.append(call)


async def _call_of(metadata: tuple[tuple[str, str], ...], *, traced: bool = True) -> Call:
    heard, begins = Heard(), all_alike(may_explain=True)
    async with (
        serving(
            Answers(),
            listen=Listen(address="127.0.0.1:0", grace=1.0),
            limits=Limits(),
            readiness=ready(),
            begins=with_trace(begins) if traced else begins,
            listener=heard,
        ) as server,
        calling(server) as channel,
    ):
        outcome = await call(channel, "Check", check_bytes(), metadata=metadata)
    assert outcome.code is grpc.StatusCode.OK
    return heard.calls[0]


async def test_a_call_has_the_trace_that_its_metadata_names() -> None:
    assert (await _call_of((("traceparent", PARENT),))).trace == Trace(TRACE, SPAN, True)


def test_two_traces_are_none() -> None:
    """gRPC's core of today keeps one of several by itself; nothing says that it must."""

    class Context:
        def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
            return (("traceparent", PARENT), ("other", "x"), ("traceparent", PARENT))

    assert trace_of(Context()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("metadata", [(), (("traceparent", "00-none"),)], ids=repr)
async def test_a_call_without_one_trace_has_none_and_is_answered(metadata: tuple[tuple[str, str], ...]) -> None:
    assert (await _call_of(metadata)).trace is None


async def test_nobody_looks_for_a_trace_that_nobody_wants() -> None:
    assert (await _call_of((("traceparent", PARENT),), traced=False)).trace is None


@pytest.mark.parametrize("method", ["Authorize", "Check", "BatchCheck", "ListModels"])
async def test_a_bug_in_the_log_names_method_request_and_trace_of_its_call(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    bug = InternalFault()
    bug.__cause__ = ZeroDivisionError(CANARY)
    options = api.Options(request_id="r-1")
    request = {
        "Authorize": api.AuthorizeRequest(question=QUESTION, options=options),
        "Check": api.CheckRequest(question=QUESTION, options=options),
        "BatchCheck": api.BatchCheckRequest(
            items=[api.BatchCheckRequest.Item(id="a", question=QUESTION)], options=options
        ),
        "ListModels": api.ListModelsRequest(question=QUESTION, options=options),
    }[method]
    begins = all_alike(may_explain=True)
    async with (
        serving(
            Answers(fault=bug),
            listen=Listen(address="127.0.0.1:0", grace=1.0),
            limits=Limits(),
            readiness=ready(),
            # A batch's items fail on the way of a good call: there the trace is known only if somebody wanted it.
            begins=with_trace(begins) if method == "BatchCheck" else begins,
        ) as server,
        calling(server) as channel,
    ):
        await call(channel, method, request.SerializeToString(), metadata=(("traceparent", PARENT),))

    (record,) = [vars(each) for each in caplog.records if each.getMessage() == "internal_fault"]
    assert record["error"] == "ZeroDivisionError"
    assert (record["method"], record["request_id"], record["trace_id"]) == (f"{SERVICE}/{method}", "r-1", TRACE)


async def test_a_bug_is_told_even_where_its_call_cannot_be_described(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        async with (
            serving(
                Answers(fault=ZeroDivisionError()),
                listen=Listen(address="127.0.0.1:0", grace=1.0),
                limits=Limits(),
                readiness=ready(),
                begins=all_alike(may_explain=True),
            ) as server,
            calling(server) as channel,
        ):
            await call(channel, "Check", check_bytes(), metadata=(("traceparent", CANARY),))

    (record,) = [vars(each) for each in caplog.records if each.getMessage() == "internal_fault"]
    assert record["method"] == f"{SERVICE}/Check"
    assert "trace_id" not in record
