"""Whoever listens hears of every decision and of the end of every call, and can hold an answer back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from tools.rpc_world import CANARY, SERVICE, Answers, call, calling, check_bytes, running
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.calls import Asked, Call, Ended, Ending, Listeners
from usherd.domain import Decision, Question
from usherd.errors import CallerUnknown, DecisionLogUnavailable, Fault, FaultReason, KeysUnavailable
from usherd.rpc.guard import Begin
from usherd.rpc.names import HEALTH


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self, refusing: Fault | None = None) -> None:
        self.refusing = refusing
        self.decisions: list[tuple[str, str, Asked, str]] = []
        self.endings: list[tuple[str, Ending]] = []

    def decided(self, call: Call, request_id: str, asked: Callable[[], Asked], decision: Decision) -> None:
        if self.refusing is not None:
            raise self.refusing
        self.decisions.append((call.method, request_id, asked(), decision.verdict.reason.name))

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        assert 0 <= seconds < 60
        self.endings.append((call.method, ending))


@pytest.mark.parametrize("method", ["Authorize", "Check"])
async def test_a_listener_hears_each_decision_and_how_each_call_ended(method: str) -> None:
    heard, asked = Heard(), Asked("/v1/chat/completions", "POST", "gpt-4o")
    async with running(listener=heard) as server, calling(server) as channel:
        await call(channel, method, check_bytes(request_id="r-1"))
        await call(channel, method, b"\xff")

    name = f"{SERVICE}/{method}"
    assert heard.decisions == [(name, "r-1", asked, "ALLOWED")]
    assert heard.endings == [(name, Ended.ANSWERED), (name, FaultReason.REQUEST_UNDECODABLE)]


async def test_a_listener_hears_each_decision_of_a_batch_and_no_fault() -> None:
    async def broken(question: Question) -> None:
        if question.model == "b":
            raise KeysUnavailable

    items = [
        api.BatchCheckRequest.Item(id=model, question=question_pb2.Question(route="/r", model=model))
        for model in ("a", "b", "c")
    ]
    heard = Heard()
    async with running(Answers(then=broken), listener=heard) as server, calling(server) as channel:
        await call(channel, "BatchCheck", api.BatchCheckRequest(token=CANARY, items=items).SerializeToString())

    assert [asked.model for _, _, asked, _ in heard.decisions] == ["a", "c"]


async def test_of_a_batch_that_is_held_back_nobody_else_hears() -> None:
    """A decision log that has no room for the last of three lines holds all back: none of them was sent."""

    class Full(Heard):
        def decided(self, *told: Any) -> None:
            self.refusing = DecisionLogUnavailable() if len(self.decisions) == 2 else None
            super().decided(*told)

    items = [
        api.BatchCheckRequest.Item(id=model, question=question_pb2.Question(route="/r", model=model))
        for model in ("a", "b", "c")
    ]
    full, heard = Full(), Heard()
    async with running(listener=Listeners([full, heard])) as server, calling(server) as channel:
        outcome = await call(
            channel, "BatchCheck", api.BatchCheckRequest(token=CANARY, items=items).SerializeToString()
        )

    assert (outcome.code, outcome.reason) == (grpc.StatusCode.UNAVAILABLE, "DECISION_LOG_UNAVAILABLE")
    assert len(full.decisions) == 2
    assert heard.decisions == []
    assert heard.endings == [(f"{SERVICE}/BatchCheck", FaultReason.DECISION_LOG_UNAVAILABLE)]


async def test_a_denial_that_a_page_of_another_revision_does_not_get_is_not_told() -> None:
    heard, answers = Heard(), Answers(names=("a", "b"))
    async with running(answers, listener=heard) as server, calling(server) as channel:
        request = api.ListModelsRequest(question=question_pb2.Question(token=CANARY, route="/r"), page_size=1)
        first = await call(channel, "ListModels", request.SerializeToString())
        request.page_token = api.ListModelsResponse.FromString(first.answer).next_page_token
        answers.revision, answers.denied = "store:8", True
        outcome = await call(channel, "ListModels", request.SerializeToString())

    assert outcome.reason == "PAGE_INVALID"
    assert heard.decisions == []


async def test_a_health_check_of_a_service_that_there_is_not_is_no_answer() -> None:
    heard = Heard()
    async with running(listener=heard) as server, calling(server) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(f"/{HEALTH}/Check")(b"\x0a\x01x", timeout=10)
        await channel.unary_unary(f"/{HEALTH}/Check")(b"", timeout=10)

    name = f"/{HEALTH}/Check"
    assert heard.endings == [(name, Ended.NOT_FOUND), (name, Ended.ANSWERED)]


async def test_an_answer_that_must_be_heard_and_is_not_does_not_leave() -> None:
    heard = Heard(refusing=KeysUnavailable())
    async with running(listener=heard) as server, calling(server) as channel:
        outcome = await call(channel, "Check", check_bytes())

    assert (outcome.code, outcome.answer) == (grpc.StatusCode.UNAVAILABLE, b"")
    assert heard.endings == [(f"{SERVICE}/Check", FaultReason.KEYS_UNAVAILABLE)]


async def test_a_listener_hears_that_a_caller_went_away() -> None:
    inside, left = asyncio.Event(), asyncio.Event()

    async def wait(question: Question) -> None:
        inside.set()
        try:
            await asyncio.sleep(60)
        finally:
            left.set()

    heard = Heard()
    async with running(Answers(then=wait), listener=heard) as server, calling(server) as channel:
        pending = channel.unary_unary(f"{SERVICE}/Check")(check_bytes(), timeout=10)
        await inside.wait()
        pending.cancel()
        await left.wait()

    assert heard.endings == [(f"{SERVICE}/Check", Ended.CANCELLED)]


async def test_a_call_that_its_caller_may_not_make_is_told_by_its_method() -> None:
    def begins(method: str) -> Begin:
        def begin(context: object) -> Call:
            raise CallerUnknown

        return begin

    heard = Heard()
    async with running(listener=heard, begins=begins) as server, calling(server) as channel:
        outcome = await call(channel, "Check", check_bytes())

    assert outcome.code is grpc.StatusCode.UNAUTHENTICATED
    assert heard.endings == [(f"{SERVICE}/Check", FaultReason.CALLER_UNKNOWN)]
