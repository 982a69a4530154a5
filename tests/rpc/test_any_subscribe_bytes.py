"""Whatever bytes a client subscribes with, what it gets are events of the contract, or a status in constant words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from tools.living_core import TEAMS
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.calls import Call
from usherd.errors import FaultReason, InvalidRequest
from usherd.rpc.guard import guarded
from usherd.rpc.hub_life import new_hub
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.living import SUBSCRIBE, Living
from usherd.rpc.server import all_alike
from worlds import CHAT, World

WORLD = World(teams=TEAMS)
TOKEN = WORLD.token(groups=["t1"])
ENDINGS = {(grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest(reason).message) for reason in FaultReason if reason < 12}


class Context:
    """The context of a call without a deadline."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.ending: tuple[grpc.StatusCode, str] | None = None

    def time_remaining(self) -> None:
        return None

    async def write(self, data: bytes) -> None:
        self.written.append(data)

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object = ()) -> None:
        self.ending = (code, details)
        raise grpc.aio.AbortError


async def _answers(messages: list[bytes]) -> Context:
    limits, context = Limits(), Context()
    hub = new_hub(limits)
    hub.clock = lambda: WORLD.now
    hub.answer_with(WORLD.authorizer.judging)
    call = Call(SUBSCRIBE, may_explain=True)
    living = Living(hub, limits=limits, gate=Gate(limits), call_now=lambda context: call)
    serve = guarded(living.subscribe, all_alike(may_explain=True)(SUBSCRIBE))

    async def received() -> AsyncIterator[bytes]:
        for each in messages:
            yield each

    ends: Any = context
    handler = asyncio.ensure_future(serve(received(), ends))  # type: ignore[arg-type]
    for _ in range(30):
        await asyncio.sleep(0)
    handler.cancel()
    await asyncio.wait([handler])
    if not handler.cancelled() and (error := handler.exception()) is not None:
        assert isinstance(error, grpc.aio.AbortError)
    assert (hub.streams, hub.subscriptions, hub._index.entries) == (0, 0, 0)
    return context


def _sample(numbers: list[int], remove: list[int], route: str) -> bytes:
    question = question_pb2.Question(token=TOKEN, route=route, method="POST", model="gpt-4o")
    options = api.Options(explain=True, request_id="r-1")
    adds = [api.SubscribeRequest.Add(id=each, question=question, options=options) for each in numbers]
    return api.SubscribeRequest(add=adds, remove=remove).SerializeToString()


@st.composite
def _message(draw: st.DrawFn) -> bytes:
    numbers = draw(st.lists(st.integers(0, 5), max_size=3))
    data = bytearray(
        _sample(numbers, draw(st.lists(st.integers(0, 5), max_size=2)), draw(st.sampled_from([CHAT, "//"])))
    )
    form = draw(st.sampled_from(["random", "cut", "changed", "grown", "as it is", "as it is"]))
    if form == "random":
        return draw(st.binary(max_size=60))
    if form == "cut":
        return bytes(data[: draw(st.integers(0, len(data)))])
    if form == "changed" and data:
        for place in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=6)):
            data[place] = draw(st.integers(0, 255))
    if form == "grown":
        place = draw(st.integers(0, len(data)))
        data[place:place] = draw(st.binary(min_size=1, max_size=20))
    return bytes(data)


@examples(500, deadline=None)
@given(messages=st.lists(_message(), max_size=4))
def test_any_bytes_are_answered_in_words_of_the_contract(messages: list[bytes]) -> None:
    context = asyncio.run(_answers(messages))

    assert context.ending is None or context.ending in ENDINGS
    for place, data in enumerate(context.written):
        event = api.SubscribeResponse.FromString(data)
        assert event.WhichOneof("event") in ("decision", "ended", "fault")
        assert event.HasField("terms") is (place == 0)
        assert TOKEN.encode() not in data


def test_a_good_subscription_is_answered_with_an_allowance() -> None:
    context = asyncio.run(_answers([_sample([1, 2], [], CHAT)]))

    events = [api.SubscribeResponse.FromString(data) for data in context.written]
    assert [(each.id, each.decision.effect) for each in events] == [(1, 1), (2, 1)]
