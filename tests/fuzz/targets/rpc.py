"""Every RPC's bytes: a message of the contract comes back, or a status of the contract in constant words.

An input is a letter for the method, and the request's bytes; for reflection, requests with a byte for the size before
each. Behind the real handlers is the real authorizer, with a small company; a second one that remembers nothing is
asked the same, and must say the same.
"""

from __future__ import annotations

import asyncio
import atexit
import hmac
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_reflection.v1alpha import reflection_pb2

from fuzz.no_waiting import NoWaiting
from fuzz.target import Target
from fuzz.targets.rpc_company import FORGETFUL, METHODS, WORLD
from fuzz.targets.rpc_inputs import mutate, seeds, unframed
from fuzz.targets.token_gate import verify_otherwise
from keyring import NOW, decode
from tools.rpc_world import ready
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, question_pb2
from usherd import errors
from usherd.authenticate.session_token import SESSION_ISS
from usherd.calls import Asked, Ending
from usherd.calls import Call as Asking
from usherd.domain import Decision, Effect, Question
from usherd.errors import (
    ExplanationNotAllowed,
    FaultReason,
    InvalidRequest,
    KeysUnavailable,
    OutOfTime,
    Overloaded,
    Precondition,
    RevisionNotReached,
    ShuttingDown,
)
from usherd.reasons import Reason
from usherd.rpc.guard import guarded
from usherd.rpc.health import Health
from usherd.rpc.hub_life import new_hub
from usherd.rpc.lenient import parse_asked
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.living import Living
from usherd.rpc.names import AUTHORIZATION as NAME
from usherd.rpc.open_streams import OpenStreams
from usherd.rpc.server import SERVICES, Methods, all_alike, methods
from usherd.rpc.service import AuthorizationService
from worlds import SESSION_SECRET, finished

LOOP = NoWaiting()
atexit.register(LOOP.close)
ENDINGS = {
    (fault.code.name, fault.message)
    for fault in (
        *(InvalidRequest(reason) for reason in FaultReason if reason < FaultReason.FIELD_INVALID),
        Precondition(),
        ExplanationNotAllowed(),
        RevisionNotReached(),
        OutOfTime(),
        KeysUnavailable(),
        Overloaded(),
        ShuttingDown(),
    )
} | {("NOT_FOUND", "unknown service")}


class Heard:
    """Keeps what it was told of decisions, as a log would write it."""

    told = ""

    def decided(self, call: Asking, request_id: str, asked: Callable[[], Asked], decision: Decision) -> None:
        self.told += f"{call} {request_id} {asked()} {decision.verdict.reason}"

    def ended(self, call: Asking, ending: Ending, seconds: float) -> None:
        self.told += f"{call} {ending}"


HEARD = Heard()


LIMITS = Limits(watchers=1)


class Call:
    """The context of a call without a deadline."""

    def __init__(self) -> None:
        self.ending: tuple[str, str] | None = None
        self.written: list[bytes] = []

    def time_remaining(self) -> None:
        return None

    async def send_initial_metadata(self, metadata: object) -> None:
        """Streams begin with it."""

    async def write(self, data: bytes) -> None:
        self.written.append(data)

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object = ()) -> None:
        self.ending = (code.name, details)
        raise grpc.aio.AbortError


@cache
def _methods(explains: bool) -> Methods:
    listener = HEARD if explains else None
    service = AuthorizationService(WORLD.authorizer, limits=LIMITS, gate=Gate(LIMITS), listener=listener)
    health, begins = Health(ready(), (NAME,), watchers=1), all_alike(may_explain=explains)
    hub, streams = new_hub(LIMITS), OpenStreams()
    hub.clock = lambda: WORLD.now
    hub.answer_with(WORLD.authorizer.judging)
    living = Living(hub, limits=LIMITS, gate=Gate(LIMITS), call_now=streams.call_now, listener=listener)
    return methods(
        service, health, reflected=SERVICES, begins=begins, streams=streams, living=living, listener=listener
    )


def _handler(name: str, explains: bool) -> Any:
    return _methods(explains).service(cast(grpc.HandlerCallDetails, SimpleNamespace(method=name)))


def _check(data: bytes) -> object:
    letter, body = data[:1].decode("latin-1"), data[1:]
    name, kind, answers = METHODS.get(letter.lower(), METHODS["c"])
    call = Call()
    HEARD.told = ""
    try:
        if kind is reflection_pb2.ServerReflectionRequest:
            LOOP.run_until_complete(_reflected(_handler(name, True).stream_stream, unframed(body), call))
        elif kind is api.SubscribeRequest:
            serve = _handler(name, letter.islower()).stream_stream
            LOOP.run_until_complete(_lived(serve(_iterated([body, b""]), call), call))
        elif kind is api.AuthorizeRequest and _watches(body):
            LOOP.run_until_complete(_lived(_handler(name, letter.islower()).unary_unary(body, call), call))
        elif name.endswith("/Watch"):
            LOOP.run_until_complete(_watched(body, call, watchers=0 if letter == "W" else 1))
        else:
            call.written.append(LOOP.run_until_complete(_handler(name, letter.islower()).unary_unary(body, call)))
    except grpc.aio.AbortError:
        assert call.ending in ENDINGS, f"ended with {call.ending}"
    said = [_parsed(answers, each) for each in call.written]
    for message in said:
        _check_answer(kind, body, message, letter.islower())
    return [call.ending, [_shown(message) for message in said]]


async def _reflected(serve: Any, requests: Sequence[bytes], call: Call) -> None:
    try:
        await serve(_iterated(requests), call)
    finally:
        # What was given up is closed by the loop, as in a server that goes on.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _watches(data: bytes) -> bool:
    try:
        return parse_asked(api.AuthorizeRequest, data).mode == api.MODE_WATCH
    except errors.Fault:
        return False


async def _lived(serving: Coroutine[Any, Any, bytes | None], call: Call) -> None:
    """Lets a stream live until it has nothing more to say, and gives it up then."""
    task = asyncio.ensure_future(serving)
    for _ in range(40):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (answer := task.result()) is not None:
        call.written.append(answer)


async def _iterated(requests: Sequence[bytes]) -> AsyncIterator[bytes]:
    for each in requests:
        yield each


async def _watched(data: bytes, call: Call, *, watchers: int) -> None:
    readiness = ready()
    name = METHODS["w"][0]
    serve = guarded(Health(readiness, (NAME,), watchers=watchers).streaming()[name], all_alike(may_explain=False)(name))
    watching = asyncio.ensure_future(serve(data, cast(Any, call)))
    await asyncio.sleep(0)
    readiness.directory(fresh=True)
    await asyncio.sleep(0)
    readiness.end()
    await watching


def _parsed(kind: type[Message], data: bytes) -> Any:
    message = kind.FromString(data)
    assert message.SerializeToString(deterministic=True) == data, "bytes of its own making"
    return message


def _shown(message: Message) -> str:
    # Ids are of one answer, and page tokens of one process.
    return re.sub(r'(decision_id|next_page_token): "[^"]*"', "", str(message))


def _check_answer(kind: type[Message], data: bytes, message: Any, explains: bool) -> None:
    if kind is api.SubscribeRequest:
        assert message.WhichOneof("event") in ("decision", "ended", "fault")
        if message.HasField("decision"):
            _check_decision(None, message.decision)
    if kind is api.AuthorizeRequest and message.HasField("ended"):
        assert message.ended.decision.effect == Effect.DENY
        return
    if kind not in (api.AuthorizeRequest, api.CheckRequest, api.BatchCheckRequest, api.ListModelsRequest):
        return
    try:
        request: Any = kind.FromString(data)
    except DecodeError:
        request = None
    pairs = list(_pairs(kind, request, message))
    texts = str(message) + HEARD.told
    for question, decision in pairs:
        _check_decision(question, decision)
        assert question is None or len(question.token) < 20 or question.token not in texts, (
            "a token in an answer or a log"
        )
    if kind is api.ListModelsRequest and request is not None:
        _check_models(request, message, explains)


def _pairs(kind: type[Message], request: Any, message: Any) -> Iterator[tuple[Question | None, Any]]:
    """Each decision with its question; None: the question had broken text."""
    if kind is api.BatchCheckRequest:
        assert request is None or [item.id for item in request.items] == [result.id for result in message.results]
        for place, result in enumerate(message.results):
            if result.HasField("fault"):
                assert (errors.Code(result.fault.code).name, result.fault.message) in ENDINGS
                continue
            item = None if request is None else request.items[place]
            yield None if item is None else _asked(item.question, item.question.token or request.token), result.decision
    elif kind is api.ListModelsRequest:
        if message.HasField("denial"):
            yield None if request is None else replaced_model(_asked(request.question), None), message.denial
    else:
        yield None if request is None else _asked(request.question), message.decision


def _asked(asked: question_pb2.Question, token: str | None = None) -> Question:
    given = {name: getattr(asked, name) for name in ("model", "team_id", "team_alias") if asked.HasField(name)}  # type: ignore[arg-type]
    others = {
        name: getattr(asked, name)
        for name in ("route", "method", "end_user_id", "organization_id", "modifies_guardrails")
    }
    return Question(
        token=asked.token if token is None else token, fallback_models=tuple(asked.fallback_models), **given, **others
    )


def _check_decision(question: Question | None, decision: decision_pb2.Decision) -> None:
    allows = decision.effect == Effect.ALLOW
    assert decision.effect in (Effect.ALLOW, Effect.DENY) and decision.reason in set(Reason)
    assert allows == (decision.reason in (Reason.ALLOWED, Reason.PUBLIC_ROUTE)), "an effect that its reason denies"
    if question is None:
        return
    if allows and decision.reason != Reason.PUBLIC_ROUTE:
        check_signed(question.token)
    verdict = finished(FORGETFUL.authorizer.authorize(question)).verdict
    said = (decision.effect, decision.reason, decision.resolved_model)
    assert said == (verdict.effect, verdict.reason, verdict.resolved_model or ""), f"{said}, and forgetful {verdict}"


def check_signed(token: str) -> None:
    """Raises if nobody signed the token."""
    signed, _, signature = token.rpartition(".")
    claims = json.loads(decode(signed.split(".")[1]))
    assert claims["exp"] > NOW - 31, "allowed by a token of the past"
    if claims["iss"] == SESSION_ISS:
        assert decode(signature) == hmac.digest(SESSION_SECRET, signed.encode(), "sha256"), (
            "allowed by nobody's session"
        )
        return
    verify_otherwise(WORLD.pairs["idp"], signed.encode(), decode(signature))


def _check_models(request: api.ListModelsRequest, message: api.ListModelsResponse, explains: bool) -> None:
    question = _asked(request.question)
    assert len(message.models) <= (request.page_size or 100)
    for model in message.models[:2]:
        verdict = finished(FORGETFUL.authorizer.authorize(replaced_model(question, model.name))).verdict
        assert verdict.effect is Effect.ALLOW, "listed, and not allowed"
        assert verdict.resolved_model == model.resolved_model, "another model"
    if message.next_page_token:
        following = api.ListModelsRequest(question=request.question, page_size=1, page_token=message.next_page_token)
        handler = _handler(f"/{NAME}/ListModels", explains)
        page = api.ListModelsResponse.FromString(
            LOOP.run_until_complete(handler.unary_unary(following.SerializeToString(), Call()))
        )
        assert page.models[0].name > message.models[-1].name, "the next page does not go on"


def replaced_model(question: Question, model: str | None) -> Question:
    """The question with another model, and no fallbacks."""
    return question._replace(model=model, fallback_models=())


TARGET = Target(
    name="rpc",
    seeds=seeds,
    check=_check,
    mutate=mutate,
    max_size=16384,
    out_of_reach={
        "rpc/guard.py": "only a bug, or the end of a call from outside, leads there",
        "rpc/lenient.py": "messages beyond 256 KiB, which reach it only where Envoy is answered, too",
        "rpc/answers.py": "answers beyond 4 MiB, and more remembered verdicts than one run has questions",
        "rpc/service.py": "a page token of an older revision needs a change of the directory between two calls",
        "rpc/health.py": "reports before a policy is loaded: a state of the server, not of a request",
    },
)
