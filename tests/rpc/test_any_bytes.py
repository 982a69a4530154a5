"""Whatever bytes arrive, the answer is a message of the contract or a status of the contract in constant words."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from tools.rpc_world import CANARY, QUESTION, Answers, calling, ready, running
from usher.v1 import authorization_service_pb2 as api
from usherd.errors import FaultReason, InvalidRequest
from usherd.rpc.guard import guarded
from usherd.rpc.health import Health
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.server import all_alike
from usherd.rpc.service import AuthorizationService

OPTIONS = api.Options(explain=True, at_least_as_fresh="store:7", request_id="r-1")
OURS = "/usher.v1.AuthorizationService/"
SAMPLES: dict[str, tuple[Message, type[Message]]] = {
    f"{OURS}Authorize": (api.AuthorizeRequest(question=QUESTION, options=OPTIONS, mode=1), api.AuthorizeResponse),
    f"{OURS}Check": (api.CheckRequest(question=QUESTION, options=OPTIONS), api.CheckResponse),
    f"{OURS}BatchCheck": (
        api.BatchCheckRequest(
            token=CANARY,
            items=[api.BatchCheckRequest.Item(id=each, question=QUESTION) for each in "ab"],
            options=OPTIONS,
        ),
        api.BatchCheckResponse,
    ),
    f"{OURS}ListModels": (
        api.ListModelsRequest(question=QUESTION, options=OPTIONS, page_size=3, page_token="AAAA"),
        api.ListModelsResponse,
    ),
    "/grpc.health.v1.Health/Check": (health_pb2.HealthCheckRequest(service="x"), health_pb2.HealthCheckResponse),
    "/grpc.health.v1.Health/List": (health_pb2.HealthListRequest(), health_pb2.HealthListResponse),
}
ENDINGS = {
    (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest(reason).message)
    for reason in FaultReason
    if reason < FaultReason.FIELD_INVALID
} | {(grpc.StatusCode.NOT_FOUND, "unknown service")}


class Call:
    """The context of a call without a deadline."""

    ending: tuple[grpc.StatusCode, str] | None = None

    def time_remaining(self) -> None:
        return None

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object = ()) -> None:
        self.ending = (code, details)
        raise grpc.aio.AbortError


def _at_once(work: Coroutine[Any, Any, bytes]) -> bytes:
    """Runs what never waits, without a loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return bytes(done.value)
    raise AssertionError("it waited")


def _handlers() -> dict[str, Any]:
    limits = Limits()
    service = AuthorizationService(Answers(names=("a", "b")), limits=limits, gate=Gate(limits))
    health = Health(ready(), (), watchers=1)
    return {
        name: guarded(serve, all_alike(may_explain=True)(name))
        for name, serve in (service.handlers() | health.unary()).items()
    }


HANDLERS = _handlers()


@st.composite
def _requests(draw: st.DrawFn) -> tuple[str, bytes]:
    method = draw(st.sampled_from(sorted(SAMPLES)))
    data = bytearray(SAMPLES[method][0].SerializeToString())
    form = draw(st.sampled_from(["random", "cut", "changed", "grown", "as it is"]))
    if form == "random":
        return method, draw(st.binary(max_size=80))
    if form == "cut":
        return method, bytes(data[: draw(st.integers(0, len(data)))])
    if form == "changed" and data:
        for place in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=6)):
            data[place] = draw(st.integers(0, 255))
    if form == "grown":
        place = draw(st.integers(0, len(data)))
        data[place:place] = draw(st.binary(min_size=1, max_size=20))
    return method, bytes(data)


@examples(2000, deadline=None)
@given(request=_requests())
def test_every_method_answers_any_bytes_in_words_of_the_contract(request: tuple[str, bytes]) -> None:
    method, data = request
    call = Call()

    try:
        answer = _at_once(HANDLERS[method](data, call))
    except grpc.aio.AbortError:
        assert call.ending in ENDINGS
    else:
        assert SAMPLES[method][1].FromString(answer).SerializeToString(deterministic=True) == answer
        assert CANARY.encode() not in answer


HEADER = st.tuples(
    st.from_regex(r"x-[a-z0-9_.-]{1,30}", fullmatch=True).filter(lambda name: not name.endswith("-bin")),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60),
)


@examples(300, deadline=None)
@given(request=_requests(), headers=st.lists(HEADER, max_size=5), compressed=st.booleans())
def test_over_the_wire_too(request: tuple[str, bytes], headers: list[tuple[str, str]], compressed: bool) -> None:
    code, details = WIRE.call(*request, headers, compressed)

    if compressed:
        assert code in (grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INVALID_ARGUMENT,
                        grpc.StatusCode.NOT_FOUND)  # fmt: skip
    else:
        assert code is grpc.StatusCode.OK or (code, details) in ENDINGS


class Wire:
    """One server and one channel for all examples, on a loop of their own."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._running = running(Answers(names=("a", "b")))
        self._calling: Any = None
        self._channel: Any = None

    def __enter__(self) -> Wire:
        server = self._runner.run(self._running.__aenter__())
        self._calling = calling(server)
        self._channel = self._runner.run(self._calling.__aenter__())
        return self

    def __exit__(self, *error: object) -> None:
        self._runner.run(self._calling.__aexit__(None, None, None))
        self._runner.run(self._running.__aexit__(None, None, None))
        self._runner.close()

    def call(
        self, method: str, data: bytes, headers: list[tuple[str, str]], compressed: bool
    ) -> tuple[grpc.StatusCode, str]:
        compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression

        async def work() -> tuple[grpc.StatusCode, str]:
            made = self._channel.unary_unary(method)(data, metadata=headers, compression=compression, timeout=10)
            return await made.code(), await made.details()

        return self._runner.run(work())


WIRE = Wire()


@pytest.fixture(autouse=True, scope="module")
def wire() -> Any:
    with WIRE:
        yield
