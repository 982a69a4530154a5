"""What Envoy may rely on, over a real connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from tools.envoy_requests import CHECK, Told, check_request, told
from tools.rpc_world import CANARY, SERVICE, Answers, calling, check_bytes, decision, ended, running
from tools.rpc_world import call as call_ours
from usherd import errors
from usherd.callers import CallerRule, credential_digest
from usherd.calls import Asked, Call, Ended, Ending
from usherd.domain import Decision, Effect, Question
from usherd.errors import Fault, FaultReason
from usherd.inbound.handed_on import GatewayRules
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.envoy.attributes import Taken
from usherd.rpc.envoy.service import EnvoyTerms
from usherd.rpc.limits import Limits
from usherd.rpc.options import MAX_REQUEST
from usherd.telemetry.counts import Counts
from worlds import CHAT, World

CREDENTIAL = "c" * 40
BEARER = ("authorization", f"Bearer {CANARY}")
JSON = ("content-type", "application/json")


def terms(rules: GatewayRules | None = None) -> EnvoyTerms:
    return EnvoyTerms(rules or GatewayRules(), lambda: "i" * 26)


async def ask(channel: grpc.aio.Channel, data: bytes, *, timeout: float = 10, **more: Any) -> Told:
    return told(await channel.unary_unary(CHECK)(data, timeout=timeout, **more))


async def status(channel: grpc.aio.Channel, data: bytes, **more: Any) -> tuple[grpc.StatusCode, str]:
    """How a call ends that has no answer."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await ask(channel, data, **more)
    return raised.value.code(), ended(raised.value).reason


@dataclass
class Heard:
    decisions: list[tuple[str, str, Asked, str, int | None]] = field(default_factory=list)
    endings: list[tuple[str, Ending]] = field(default_factory=list)
    refusing: Fault | None = None

    def decided(self, call: Call, request_id: str, asked: Callable[[], Asked], made: Decision) -> None:
        if self.refusing is not None:
            raise self.refusing
        self.decisions.append((call.method, request_id, asked(), made.verdict.reason.name, made.verdict.http_status))

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        self.endings.append((call.method, ending))


async def test_a_request_becomes_the_question_of_our_own_api() -> None:
    answers = Answers()
    data = check_request(headers=[BEARER, JSON], body=b'{"model":"gpt-4o","fallbacks":["o3"],"user":"u"}')
    async with running(answers, envoy=terms()) as server, calling(server) as channel:
        found = await ask(channel, data)

    assert found.kind == "ok"
    assert answers.asked == [
        Question(CANARY, "/v1/chat/completions", "POST", "gpt-4o", ("o3",), end_user_id="u"),
    ]


async def test_a_denial_of_the_authorizer_is_one() -> None:
    async with running(Answers(denied=True), envoy=terms()) as server, calling(server) as channel:
        found = await ask(channel, check_request(headers=[BEARER]))

    assert (found.kind, found.status, found.body["error"]["code"]) == ("denied", 403, "model_not_granted")


@pytest.mark.parametrize(
    "fault",
    [
        errors.KeysUnavailable(),
        errors.DirectoryUnavailable(),
        errors.Overloaded(),
        errors.InternalFault(),
        ValueError(CANARY),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_where_there_is_no_decision_envoy_is_told_so_and_so_are_the_records(fault: BaseException) -> None:
    heard = Heard()
    async with running(Answers(fault=fault), envoy=terms(), listener=heard) as server, calling(server) as channel:
        found = await ask(channel, check_request(headers=[BEARER]))

    assert (found.kind, found.status, found.code) == ("error", 503, 14)
    assert CANARY not in str(found)
    assert heard.decisions == []
    assert heard.endings == [(CHECK, getattr(fault, "reason", FaultReason.INTERNAL))]


async def test_envoy_hears_that_time_is_up_before_its_own_is() -> None:
    async def hang(question: object) -> None:
        await asyncio.sleep(60)

    heard = Heard()
    limits = Limits(deadline=60)
    async with (
        running(Answers(then=hang), envoy=terms(), listener=heard, limits=limits) as server,
        calling(server) as channel,
    ):
        found = await ask(channel, check_request(headers=[BEARER]), timeout=4.0)

    assert found.kind == "error"
    assert heard.endings == [(CHECK, FaultReason.DEADLINE_EXCEEDED)]


@pytest.mark.parametrize(
    ("data", "code", "http", "reason"),
    [
        (b"\xff\xff\xff", "request_unreadable", 400, "ROUTE_AMBIGUOUS"),
        (b"", "request_unreadable", 400, "ROUTE_AMBIGUOUS"),
        (
            check_request(headers=[BEARER, ("x-api-key", "other")]),
            "credentials_ambiguous",
            400,
            "TOKEN_MALFORMED",
        ),
        (
            check_request(headers=[("cookie", "litellm_ui_token_1=a.b.c")]),
            "origin_not_allowed",
            403,
            "SESSION_INVALID",
        ),
        (check_request(headers=[BEARER], body=b" " * 1025), "body_too_large", 413, "MODEL_INVALID"),
    ],
    ids=["garbage", "nothing", "two credentials", "a cookie from elsewhere", "a large body"],
)
async def test_what_cannot_be_asked_is_denied_and_stands_in_the_records(
    data: bytes, code: str, http: int, reason: str
) -> None:
    answers, heard = Answers(), Heard()
    limits = terms(GatewayRules(max_body=1024))
    async with running(answers, envoy=limits, listener=heard) as server, calling(server) as channel:
        found = await ask(channel, data)

    assert answers.asked == []
    assert (found.kind, found.status, found.body["error"]["code"]) == ("denied", http, code)
    assert found.metadata["decision_id"] == "i" * 26
    ((method, _, asked, told_reason, told_status),) = heard.decisions
    assert (method, told_reason, told_status) == (CHECK, reason, http)
    assert CANARY not in str(asked)
    assert heard.endings == [(CHECK, Ended.ANSWERED)]


async def test_a_decision_that_must_be_written_down_and_cannot_is_not_told() -> None:
    heard = Heard(refusing=errors.DecisionLogUnavailable())
    async with running(envoy=terms(), listener=heard) as server, calling(server) as channel:
        allowed = await ask(channel, check_request(headers=[BEARER]))
        refused = await ask(channel, b"\xff")

    assert (allowed.kind, refused.kind) == ("error", "error")


async def test_nobody_answers_envoy_unless_it_is_configured() -> None:
    async with running() as server, calling(server) as channel:
        assert (await status(channel, check_request()))[0] is grpc.StatusCode.UNIMPLEMENTED
        health = channel.unary_unary("/grpc.health.v1.Health/Check", response_deserializer=None)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await health(health_pb2.HealthCheckRequest(service=CHECK.split("/")[1]).SerializeToString())
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_its_health_is_told_where_it_is() -> None:
    async with running(envoy=terms()) as server, calling(server) as channel:
        health = channel.unary_unary(
            "/grpc.health.v1.Health/Check", response_deserializer=health_pb2.HealthCheckResponse.FromString
        )
        found = await health(health_pb2.HealthCheckRequest(service=CHECK.split("/")[1]).SerializeToString())
    assert found.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    ("rpcs", "expected"),
    [
        (frozenset({CHECK}), None),
        (frozenset({f"{SERVICE}/Check"}), (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")),
        (frozenset(), (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")),
    ],
    ids=["its right", "another right", "none"],
)
async def test_envoy_is_a_caller_and_needs_its_right(
    rpcs: frozenset[str], expected: tuple[grpc.StatusCode, str] | None
) -> None:
    rule = CallerRule(name="edge", credentials=(credential_digest(CREDENTIAL),), rpcs=rpcs)
    shown = (("authorization", f"Bearer {CREDENTIAL}"),)
    begins = Admission(Terms([rule])).begins
    async with running(envoy=terms(), begins=begins) as server, calling(server) as channel:
        stranger = await status(channel, check_request())
        if expected is None:
            assert (await ask(channel, check_request(headers=[BEARER]), metadata=shown)).kind == "ok"
        else:
            assert await status(channel, check_request(), metadata=shown) == expected
    assert stranger == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")


async def test_its_messages_may_be_large_and_those_of_our_own_api_may_not() -> None:
    body = b'{"model":"gpt-4o","x":"' + b"a" * (1024 * 1024 - 60) + b'"}'
    headers = [BEARER, JSON, *((f"x-{number}", "h" * 8000) for number in range(16))]
    async with running(envoy=terms()) as server, calling(server, ("grpc.max_send_message_length", -1)) as channel:
        large = await ask(channel, check_request(headers=headers, body=body))
        too_large = await ask(channel, check_request(headers=headers, body=body + b" " * 1000))
        ours = await call_ours(channel, "Check", check_bytes() + b"\x0a" * MAX_REQUEST)
        batch = await call_ours(channel, "BatchCheck", b"\x0a" * (MAX_REQUEST + 1))
    assert (large.kind, large.set["x-usherd-model"]) == ("ok", "gpt-4o")
    assert (too_large.kind, too_large.status) == ("denied", 413)
    assert {ours.code, batch.code} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert {ours.reason, batch.reason} == {"OVERLOADED"}


async def test_others_are_answered_while_a_long_body_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read beside the loop, and one at a time."""
    begun, go_on, at_once, most = threading.Event(), threading.Event(), 0, 0

    def question(request: Taken, rules: GatewayRules) -> Question:
        nonlocal at_once, most
        at_once, most = at_once + 1, max(most, at_once + 1)
        begun.set()
        assert len(request.received.body) < 20_000 or go_on.wait(30)
        at_once -= 1
        return read(request, rules)

    read = Taken.question
    body = b'{"model":"gpt-4o","x":[' + b'{"a":[1,2,3]},' * 9_000 + b"1]}"
    long_one = check_request(headers=[BEARER, JSON], body=body)
    async with running(envoy=terms(), limits=Limits(deadline=60)) as server, calling(server) as channel:
        monkeypatch.setattr(Taken, "question", question)
        long = [asyncio.create_task(ask(channel, long_one, timeout=60)) for _ in range(3)]
        assert await asyncio.to_thread(begun.wait, 30)
        short = await ask(channel, check_request(headers=[BEARER, JSON], body=b'{"model":"gpt-4o"}'))
        unfinished = [each.done() for each in long]
        go_on.set()
        found = [await each for each in long]

    assert short.kind == "ok"
    assert unfinished == [False] * 3
    assert [each.kind for each in found] == ["ok"] * 3
    assert most == 2


async def test_a_known_question_is_answered_without_waiting_whichever_way_it_was_asked_before() -> None:
    world = World()
    token = world.token(roles=["Reader"])
    data = check_request(path=CHAT, headers=[("authorization", f"Bearer {token}"), JSON], body=b'{"model":"gpt-4o"}')
    heard = Heard()
    async with running(world.authorizer, envoy=terms(), listener=heard) as server, calling(server) as channel:
        first = await ask(channel, data)
        known = server._envoy.at_hand()[CHECK](data, Call(CHECK))  # type: ignore[union-attr]
        again = told(known or b"")
    assert (first.kind, again.kind) == ("ok", "ok")
    assert first.metadata.pop("decision_id") != again.metadata.pop("decision_id")
    assert first.set.pop("x-usherd-decision-id") != again.set.pop("x-usherd-decision-id")
    assert first == again
    assert [each[3] for each in heard.decisions] == ["ALLOWED", "ALLOWED"]


async def test_another_authorizer_answers_from_then_on() -> None:
    world, other = World(), Answers(denied=True)
    token = world.token(roles=["Reader"])
    data = check_request(path=CHAT, headers=[("authorization", f"Bearer {token}"), JSON], body=b'{"model":"gpt-4o"}')
    async with running(world.authorizer, envoy=terms()) as server, calling(server) as channel:
        for _ in range(3):
            assert (await ask(channel, data)).kind == "ok"
        server.answer_with(other)  # type: ignore[arg-type]
        assert (await ask(channel, data)).kind == "denied"


async def test_its_calls_are_counted_by_a_name_of_their_own() -> None:
    counts = Counts()
    async with running(Answers(), envoy=terms(), listener=counts) as server, calling(server) as channel:
        await ask(channel, check_request(headers=[BEARER]))
        await ask(channel, b"\xff")

    mine = counts.methods["Envoy/Check"]
    assert mine.answered == 2
    assert mine.durations.count == 2
    assert mine.decisions[Effect.ALLOW][decision().verdict.reason] == 1
    assert sum(map(sum, mine.decisions)) == 2


async def test_at_its_bound_the_server_tells_envoy_that_it_has_no_answer() -> None:
    async def wait(question: object) -> None:
        await asyncio.sleep(2)

    limits = Limits(concurrency=1, queue_time=0.05)
    async with running(Answers(then=wait), envoy=terms(), limits=limits) as server, calling(server) as channel:
        inside = asyncio.create_task(ask(channel, check_request(headers=[BEARER])))
        await asyncio.sleep(0.2)
        outside = await ask(channel, check_request(headers=[BEARER]))
        await inside
    assert (outside.kind, outside.headers.get("retry-after")) == ("error", "1")
