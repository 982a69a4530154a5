"""Rules that change hold for every call that begins after them, and for streams that are open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from tools.caller_world import ALL, CREDENTIAL, OTHER, names, rule, secure, server_files
from tools.certificates import Authority
from tools.rpc_world import SERVICE, Answers, Outcome, call, calling, check_bytes, ended, ready, running
from usherd.calls import Call, Ended, Ending, Listener
from usherd.domain import Question
from usherd.errors import CallerUnknown, FaultReason
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.guard import Begin, Context
from usherd.rpc.health import Readiness
from usherd.rpc.limits import Limits
from usherd.rpc.open_streams import OpenStreams
from usherd.rpc.server import Listen, Serving

OK = grpc.StatusCode.OK
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
SHOWN = (("authorization", f"Bearer {CREDENTIAL}"),)


class Heard(Listener):
    """How calls ended."""

    def __init__(self) -> None:
        self.endings: list[tuple[str, Ending]] = []
        self.heard = asyncio.Event()

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        self.endings.append((call.method, ending))
        self.heard.set()


@asynccontextmanager
async def _world(**more: Any) -> AsyncIterator[tuple[Admission, Serving, grpc.aio.Channel]]:
    admission = Admission(Terms([rule(credential=CREDENTIAL)]))
    async with running(begins=admission.begins, **more) as server, calling(server) as channel:
        yield admission, server, channel


def _change(admission: Admission, server: Serving, terms: Terms) -> None:
    """As a reload does it."""
    admission.change(terms)
    server.judge_again()


async def _opened(channel: grpc.aio.Channel, method: str) -> Any:
    """A stream that has had its first answer and waits for the next."""
    stream = channel.stream_stream(method)(metadata=SHOWN, timeout=20)
    await stream.write(b"")
    if method == WATCH:
        await stream.done_writing()
    assert isinstance(await stream.read(), bytes)
    return stream


async def _end(stream: Any) -> Outcome:
    try:
        async with asyncio.timeout(20):
            rest = await stream.read()
    except grpc.aio.AioRpcError as error:
        return ended(error)
    return Outcome(OK, answer=b"" if rest is grpc.aio.EOF else rest)


LOST = {
    "the caller": (Terms([rule(credential=OTHER)]), "UNAUTHENTICATED", "CALLER_UNKNOWN"),
    "the right": (Terms([rule(credential=CREDENTIAL, rpcs=frozenset())]), "PERMISSION_DENIED", "CALLER_NOT_ALLOWED"),
}


@pytest.mark.parametrize("method", [WATCH, REFLECTION])
@pytest.mark.parametrize(("terms", "code", "reason"), LOST.values(), ids=LOST.keys())
async def test_a_stream_whose_caller_has_lost_it_ends_at_once(
    method: str, terms: Terms, code: str, reason: str
) -> None:
    heard = Heard()
    async with _world(listener=heard) as (admission, server, channel):
        stream = await _opened(channel, method)
        _change(admission, server, terms)
        outcome = await _end(stream)
        await heard.heard.wait()

    assert (outcome.code.name, outcome.reason) == (code, reason)
    assert heard.endings == [(method, FaultReason[reason])]


@pytest.mark.parametrize("method", [WATCH, REFLECTION])
@pytest.mark.parametrize(
    "terms",
    [
        Terms(),
        Terms([rule(credential=[OTHER, CREDENTIAL])]),
        Terms([rule("renamed", credential=CREDENTIAL, explain=True)]),
    ],
)
async def test_a_stream_whose_caller_may_still_have_it_goes_on(method: str, terms: Terms) -> None:
    readiness = ready()
    async with _world(readiness=readiness) as (admission, server, channel):
        stream = await _opened(channel, method)
        _change(admission, server, terms)
        if method == WATCH:
            readiness.issuer("idp", usable=False)
        else:
            await stream.write(b"")
        outcome = await _end(stream)

    assert outcome.code is OK
    assert outcome.answer


async def test_a_stream_that_cannot_be_judged_ends_and_so_do_those_after_it() -> None:
    admission = Admission(Terms([rule(credential=CREDENTIAL)]))
    broken: list[bool] = []

    def begins(method: str) -> Begin:
        begin = admission.begins(method)

        def bug_first(context: Context) -> Call:
            if broken and broken.pop():
                raise ZeroDivisionError
            return begin(context)

        return bug_first

    async with running(begins=begins) as server, calling(server) as channel:
        first, second = await _opened(channel, WATCH), await _opened(channel, WATCH)
        broken.append(True)
        _change(admission, server, LOST["the caller"][0])
        outcomes = [await _end(first), await _end(second)]

    assert [outcome.reason for outcome in outcomes] == ["INTERNAL", "CALLER_UNKNOWN"]


async def test_a_stream_can_end_in_the_middle_of_its_first_answer() -> None:
    class Telling(Readiness):
        """Is asked right before the answer is written; what it begins happens while it is being written."""

        then: Callable[[], None] | None = None

        @property
        def ready(self) -> bool:
            if self.then is not None:
                asyncio.get_running_loop().call_soon(self.then)
                self.then = None
            return True

    readiness = Telling()
    async with _world(readiness=readiness) as (admission, server, channel):
        readiness.then = lambda: _change(admission, server, LOST["the right"][0])
        stream = channel.unary_stream(WATCH)(b"", metadata=SHOWN, timeout=20)
        first = await _end(stream)
        outcome = await _end(stream) if first.code is OK else first

    assert outcome.reason == "CALLER_NOT_ALLOWED"


async def test_a_place_of_a_stream_that_was_ended_is_free_again() -> None:
    async with _world(limits=Limits(watchers=1)) as (admission, server, channel):
        await _opened(channel, WATCH)
        _change(admission, server, LOST["the caller"][0])
        _change(admission, server, Terms([rule(credential=CREDENTIAL)]))
        async with asyncio.timeout(20):
            while True:
                try:
                    await _opened(channel, WATCH)
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.01)
                else:
                    break


async def test_callers_that_come_later_are_told_apart_on_streams_that_were_open_to_all() -> None:
    admission = Admission(Terms())
    async with running(begins=admission.begins) as server, calling(server) as channel:
        known, unknown = await _opened(channel, WATCH), channel.unary_stream(WATCH)(b"", timeout=20)
        await unknown.read()
        _change(admission, server, Terms([rule(credential=CREDENTIAL)]))
        outcome = await _end(unknown)
        asyncio.get_running_loop().call_later(0.2, known.cancel)
        with pytest.raises(asyncio.CancelledError):
            await known.read()

    assert outcome.reason == "CALLER_UNKNOWN"


async def test_a_unary_call_in_flight_is_answered_and_the_next_is_judged_by_the_new_rules() -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def hold(question: Question) -> None:
        begun.set()
        await may_end.wait()

    admission = Admission(Terms([rule(credential=CREDENTIAL)]))
    async with running(Answers(then=hold), begins=admission.begins) as server, calling(server) as channel:
        asked = asyncio.ensure_future(call(channel, "Check", check_bytes(), metadata=SHOWN))
        await begun.wait()
        _change(admission, server, LOST["the caller"][0])
        may_end.set()
        outcomes = [await asked, await call(channel, "Check", check_bytes(), metadata=SHOWN)]

    assert [each.reason for each in outcomes] == ["", "CALLER_UNKNOWN"]
    assert outcomes[0].code is OK


async def test_a_call_whose_question_comes_after_the_change_is_judged_by_the_new_rules() -> None:
    async with _world() as (admission, server, channel):
        stream = channel.stream_unary(f"{SERVICE}/Check")(metadata=SHOWN, timeout=10)
        # The headers are on their way, and there, before the question is.
        await asyncio.sleep(0.3)
        _change(admission, server, LOST["the caller"][0])
        await stream.write(check_bytes())
        await stream.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stream

    assert ended(raised.value).reason == "CALLER_UNKNOWN"


async def test_a_certificate_loses_its_right_on_a_living_connection(tmp_path: Path) -> None:
    ours = Authority("ours")
    admission = Admission(Terms([rule(spiffe=("spiffe://mesh/ns/edge",))]))
    listen = Listen(address="127.0.0.1:0", tls=server_files(ours, tmp_path), grace=0)
    identity = ours.issue_for("edge", names({"uri": ["spiffe://mesh/ns/edge"]}))
    async with (
        running(listen=listen, begins=admission.begins) as server,
        secure(server.address, ours.certificate, identity) as channel,
    ):
        stream = await _opened(channel, WATCH)
        before = await call(channel, "Check", check_bytes())
        _change(admission, server, Terms([rule(spiffe=("spiffe://mesh/ns/other",))]))
        after = await call(channel, "Check", check_bytes())
        outcome = await _end(stream)

    assert before.code is OK
    assert after.reason == outcome.reason == "CALLER_UNKNOWN"


async def test_a_stream_that_its_caller_ends_in_the_same_moment_ends_as_cancelled() -> None:
    streams, at_work = OpenStreams(), asyncio.Event()
    lost = False

    def begin(context: object) -> Call:
        if lost:
            raise CallerUnknown
        return Call("/m", caller="edge")

    async def serve(received: object, context: object, call: Call) -> None:
        assert streams.call_now(context) == call  # type: ignore[arg-type]
        at_work.set()
        await asyncio.Event().wait()

    class Headers:
        async def send_initial_metadata(self, metadata: object) -> None:
            """As a call's context does."""

    context: Any = Headers()
    task = asyncio.create_task(streams.kept(serve, begin)(b"", context, begin(context)))  # type: ignore[arg-type]
    await at_work.wait()
    lost = True
    streams.judge_again()
    streams.judge_again()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(streams) == 0


async def test_a_stream_that_goes_away_is_forgotten() -> None:
    heard = Heard()
    async with _world(listener=heard) as (admission, server, channel):
        stream = await _opened(channel, WATCH)
        stream.cancel()
        async with asyncio.timeout(20):
            await heard.heard.wait()
        _change(admission, server, LOST["the caller"][0])

    assert heard.endings == [(WATCH, Ended.CANCELLED)]


def test_all_rights_are_those_of_every_method() -> None:
    assert {WATCH, REFLECTION, f"{SERVICE}/Check"} < ALL
