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
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cache
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from fuzz.mutators import changed_text, mutate_bytes
from fuzz.no_waiting import NoWaiting
from fuzz.proto_mutator import mutate_message
from fuzz.target import Target
from fuzz.targets.token_gate import CLAIMS, KEYS, VALID, verify_otherwise
from keyring import NOW, decode, session_token
from tools.rpc_world import ready
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, question_pb2
from usherd import errors
from usherd.authenticate.session_token import SESSION_AUDIENCE, SESSION_ISS
from usherd.calls import Asked, Ending
from usherd.calls import Call as Asking
from usherd.domain import Decision, Effect, Limit, Question
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
from usherd.facts import EndUser, Organization, Team, User
from usherd.policy import SessionRules
from usherd.reasons import Reason
from usherd.rpc.guard import guarded
from usherd.rpc.health import Health
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.open_streams import OpenStreams
from usherd.rpc.server import Methods, all_alike, methods
from usherd.rpc.service import NAME, AuthorizationService
from worlds import CHAT, SESSION_SECRET, World, finished, issuer, policy

METHODS: dict[str, tuple[str, type[Message], type[Message]]] = {
    "a": (f"/{NAME}/Authorize", api.AuthorizeRequest, api.AuthorizeResponse),
    "c": (f"/{NAME}/Check", api.CheckRequest, api.CheckResponse),
    "b": (f"/{NAME}/BatchCheck", api.BatchCheckRequest, api.BatchCheckResponse),
    "l": (f"/{NAME}/ListModels", api.ListModelsRequest, api.ListModelsResponse),
    "h": ("/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse),
    "i": ("/grpc.health.v1.Health/List", health_pb2.HealthListRequest, health_pb2.HealthListResponse),
    "w": ("/grpc.health.v1.Health/Watch", health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse),
    "r": ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", reflection_pb2.ServerReflectionRequest,
          reflection_pb2.ServerReflectionResponse),
}  # fmt: skip
TEXTS: dict[str, tuple[str, ...]] = {
    "route": (CHAT, "/v1/models", "/key/generate", "/health/liveliness", "/openai/deployments/o1/chat/completions",
    "//", "/v1/%2e", ""),
    "method": ("POST", "GET", "", "get", "HEAD"),
    "model": ("gpt-4o", "gpt-4o-mini", "o1", "default", "claude-3", "*", "", "x" * 300, "gpt-4o\0"),
    "fallback_models": ("gpt-4o", "o1", "gpt-4o-mini", "*", ""),
    "team_id": ("a", "b", "nobody's", "", "\n"),
    "team_alias": ("Alpha", "Beta", "", "x" * 300),
    "end_user_id": ("customer", "blocked", "", "\x00"),
    "organization_id": ("acme", "id:acme", ""),
    "at_least_as_fresh": ("store:1", "store:0", "store:99", "other:1", "store:01", "x", ":", "store:" + "9" * 19),
    "request_id": ("r-1", "é", "x" * 129, "\n", ""),
    "id": ("1", "2", "x" * 128, "x" * 129, "é" * 65, ""),
    "page_token": ("", "AAAA", "x" * 1025, "é", "A"),
    "service": ("", NAME, "unknown"),
    "file_by_filename": ("usher/v1/question.proto", "no.proto"),
    "file_containing_symbol": (NAME, "usher.v1.Question", "no.Symbol", ""),
    "all_extension_numbers_of_type": ("usher.v1.Question", "x"),
    "list_services": ("", "*"),
    "host": ("", "h"),
}  # fmt: skip


LOOP = NoWaiting()
atexit.register(LOOP.close)
ENDINGS = {
    (fault.code.name, fault.message)
    for fault in (
        *(InvalidRequest(reason) for reason in FaultReason if reason < FaultReason.REVISION_OF_OTHER_STORE),
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


def _world(**changes: Any) -> World:
    session = SessionRules(secret=SESSION_SECRET, max_lifetime=3600.0, digest="d")
    limit = Limit(tpm=1000, rpm=10, max_budget_micro_usd=5_000_000, budget_reset_seconds=60)
    alpha = Team(id="a", alias="Alpha", models=("gpt-4o",), limit=limit)
    beta = Team(id="b", alias="Beta", organization="acme", model_aliases={"default": "o1"}, blocked=True)
    alice = User(id="alice", identities=(("idp", "alice"),), models=("gpt-4o*", "o1"), teams=("a",), limit=Limit(tpm=7))
    world = World(
        policy=policy(issuers=(issuer(answer_claims=(("sub", ("sub",)),)), issuer("dead")), session=session, **changes),
        teams=(alpha, beta),
        users=(alice, User(id="bob", role="proxy_admin")),
        organizations=(Organization(id="acme", models=("o1",)),),
        end_users=(EndUser(id="customer", limit=Limit(rpm=1)), EndUser(id="blocked", blocked=True)),
    )
    world.keys.unavailable.add("dead")
    return world


WORLD, FORGETFUL = _world(), _world(keep_answers_for=0.0)
LIMITS = Limits(watchers=1)


@cache
def _tokens() -> tuple[str, ...]:
    token = WORLD.token
    session = session_token(
        {"iss": SESSION_ISS, "aud": SESSION_AUDIENCE, "user_id": "bob", "exp": int(NOW) + 60}, SESSION_SECRET
    )
    return (
        token(), token(roles=["Reader"]), token(scope="admin"), token(groups=["a", "b"], sub="x"), token(team="b"),
            token(exp=int(NOW) - 99),
        token(customer="blocked"), token(org="acme"), token(sub=5), token(iss="https://who.example"),
            token()[:-3] + "AAA", session,
        token(by="dead"), KEYS["1"].token(VALID), "", "a.b.c", "x" * 9000,
    )  # fmt: skip


def _text(name: str, value: str, random: Random) -> str:
    if name != "token":
        return (
            random.choice(TEXTS.get(name, ("x", "usher.v1.Question")))
            if random.random() < 0.7
            else changed_text(value, random)
        )
    choice = random.randrange(10)
    if choice < 6:
        return random.choice(_tokens())
    if choice < 8:
        # Signed anew, with other claims.
        return WORLD.pairs["idp"].token(
            CLAIMS(json.dumps(VALID | {"roles": ["Reader"], "groups": ["a"]}).encode(), random)
        )
    return changed_text(value or random.choice(_tokens()), random)


def _seeds() -> list[bytes]:
    questions = [question_pb2.Question(token=token, route=CHAT, method="POST", model="gpt-4o") for token in _tokens()]
    alice = questions[0]
    for name, texts in TEXTS.items():
        if name in alice.DESCRIPTOR.fields_by_name and name != "fallback_models":
            questions += [
                question_pb2.Question(**{"token": _tokens()[3], "route": CHAT, "model": "gpt-4o"} | {name: text})
                for text in texts
            ]
    questions.append(
        question_pb2.Question(token=_tokens()[1], route=CHAT, model="gpt-4o", fallback_models=["gpt-4o", "o1"])
    )
    found = [b"c" + api.CheckRequest(question=question).SerializeToString() for question in questions]
    found += [b"a" + api.AuthorizeRequest(question=question).SerializeToString() for question in questions[:20]]
    wishes = [api.Options(explain=True)] + [api.Options(at_least_as_fresh=text) for text in TEXTS["at_least_as_fresh"]]
    wishes += [api.Options(request_id=text) for text in TEXTS["request_id"]]
    found += [
        letter + api.CheckRequest(question=alice, options=each).SerializeToString()
        for each in wishes
        for letter in (b"c", b"C")
    ]
    found += [b"a" + api.AuthorizeRequest(question=alice, mode=mode).SerializeToString() for mode in (1, 2)]  # type: ignore[arg-type]
    item = api.BatchCheckRequest.Item
    batches = [
        [item(id=str(number), question=question) for number, question in enumerate(some)]
        for some in (questions[:4], questions, [alice])
    ]
    found += [
        b"b" + api.BatchCheckRequest(items=each, token=_tokens()[1], options=wishes[0]).SerializeToString()
        for each in batches
    ]
    found += [
        b"b" + api.BatchCheckRequest(items=each).SerializeToString()
        for each in ([], [item(id="1")], batches[0] * 2, batches[0][:1] * 2)
    ]
    many = [item(id=str(number), question=question_pb2.Question(token=f"t{number}")) for number in range(17)]
    found += [
        b"b" + api.BatchCheckRequest(items=many).SerializeToString(),
        b"b" + b"\x12\x00" * 1001,
        b"b" + b"\x12\x00" * 1001 + b"\x0a\x01\xff",
    ]
    found += [
        b"l" + api.ListModelsRequest(question=question, page_size=2).SerializeToString() for question in questions[:12]
    ]
    found += [b"l" + api.ListModelsRequest(question=alice, page_size=size, page_token=text).SerializeToString()
              for size in (-1, 0, 1001) for text in TEXTS["page_token"]]  # fmt: skip
    found += [
        letter + health_pb2.HealthCheckRequest(service=text).SerializeToString()
        for text in TEXTS["service"]
        for letter in (b"h", b"w", b"W")
    ]
    found += [b"i", b"i\xff"]
    asks = [{name: text} for name in ("file_by_filename", "file_containing_symbol", "all_extension_numbers_of_type",
        "list_services")
            for text in TEXTS[name]]  # fmt: skip
    asks += [
        {
            "file_containing_extension": reflection_pb2.ExtensionRequest(
                containing_type="usher.v1.Question", extension_number=1
            )
        }
    ]
    found += [b"r" + _framed([reflection_pb2.ServerReflectionRequest(**each).SerializeToString()]) for each in asks]
    broken = [
        b"\xff",
        b"\x0a\x05\x0a\x03\xff\xfe\xfd",
        b"\x0a\x04\x12\x02\xc0\xaf",
        b"\x0a\x04\x2a\x02\xc0\xaf",
        b"\x12\x07\x12\x05\x0a\x03\xff\xfe\xfd",
    ]
    return [*found, *(letter + data for data in broken for letter in (b"a", b"c", b"b", b"l", b"h", b"w", b"r"))]


def _framed(requests: Sequence[bytes]) -> bytes:
    return b"".join(bytes((len(each) % 256,)) + each for each in requests)


def _unframed(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    while data and len(found) < 8:
        found.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    return found


def _mutate(data: bytes, random: Random) -> bytes:
    letter, body = data[:1], data[1:]
    choice = random.randrange(20)
    kind = METHODS.get(letter.lower().decode("latin-1"), METHODS["c"])[1]
    if choice == 0:
        return random.choice(b"acblhiwrACBLW").to_bytes() + body
    if choice < 3:
        return letter + mutate_bytes(body, random)
    if letter == b"r":
        requests = _unframed(body) or [b""]
        place = random.randrange(len(requests))
        return letter + _framed(
            [*requests[:place], _changed(kind, requests[place], random), *requests[place + random.randrange(2) :]]
        )
    return letter + _changed(kind, body, random)


def _changed(kind: type[Message], data: bytes, random: Random) -> bytes:
    try:
        message = kind.FromString(data)
    except DecodeError:
        return mutate_bytes(data, random)
    for _ in range(random.choice((1, 1, 2, 4))):
        if message.DESCRIPTOR.fields:
            mutate_message(message, random, _text)
    written: bytes = message.SerializeToString()
    if random.random() < 0.04 and b"gpt" in written:
        # What a gateway passes on that does not check its texts.
        written = written.replace(b"gpt", b"g\xfft")
    return written


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
    return methods(service, health, with_reflection=True, begins=begins, streams=OpenStreams(), listener=listener)


def _handler(name: str, explains: bool) -> Any:
    return _methods(explains).service(cast(grpc.HandlerCallDetails, SimpleNamespace(method=name)))


def _check(data: bytes) -> object:
    letter, body = data[:1].decode("latin-1"), data[1:]
    name, kind, answers = METHODS.get(letter.lower(), METHODS["c"])
    call = Call()
    HEARD.told = ""
    try:
        if kind is reflection_pb2.ServerReflectionRequest:
            LOOP.run_until_complete(_reflected(_handler(name, True).stream_stream, _unframed(body), call))
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
        _check_signed(question.token)
    verdict = finished(FORGETFUL.authorizer.authorize(question)).verdict
    said = (decision.effect, decision.reason, decision.resolved_model)
    assert said == (verdict.effect, verdict.reason, verdict.resolved_model or ""), f"{said}, and forgetful {verdict}"


def _check_signed(token: str) -> None:
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
    seeds=_seeds,
    check=_check,
    mutate=_mutate,
    max_size=16384,
    out_of_reach={
        "rpc/guard.py": "only a bug, or the end of a call from outside, leads there",
        "rpc/answers.py": "answers beyond 4 MiB, and more remembered verdicts than one run has questions",
        "rpc/service.py": "a page token of an older revision needs a change of the directory between two calls",
        "rpc/health.py": "reports before a policy is loaded: a state of the server, not of a request",
    },
)
