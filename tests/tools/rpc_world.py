"""A server on a free port with an authorizer whose answers a test writes, and the client's side of every call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.calls import Listener
from usherd.domain import Decision, Dependency, DependencyKind, Effect, Principal, PrincipalKind, Question, Verdict
from usherd.errors import Fault
from usherd.listing import ModelsPage
from usherd.reasons import Reason
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.envoy.service import EnvoyTerms
from usherd.rpc.health import Readiness
from usherd.rpc.limits import Limits
from usherd.rpc.revocation.kept import KeptRevocations
from usherd.rpc.server import Begins, Listen, Serving, serving
from usherd.session_desk import SessionDesk

CANARY = "eyJhbGciOiJSUzI1NiJ9.canary-claims-5f3a.canary-signature-77b1"
SERVICE = "/usher.v1.AuthorizationService"
QUESTION = question_pb2.Question(token=CANARY, route="/v1/chat/completions", method="POST", model="gpt-4o")

ALLOW = Verdict(
    effect=Effect.ALLOW,
    reason=Reason.ALLOWED,
    principal=Principal(kind=PrincipalKind.USER, issuer="https://idp.example", subject="u-1", scopes=("a", "b")),
    resolved_model="gpt-4o",
    depends_on=(Dependency(DependencyKind.POLICY, "policy", "digest"),),
)
DENY = Verdict(effect=Effect.DENY, reason=Reason.MODEL_NOT_GRANTED)


def decision(verdict: Verdict = ALLOW, *, number: int = 0) -> Decision:
    return Decision(
        verdict=verdict, decision_id=f"{number:026}", revision="store:7", valid_until=1_800_000_000.25, cacheable=True
    )


@dataclass
class Answers:
    """An authorizer that does what a test says. As the real one, it denies text with control characters."""

    then: Callable[[Question], Awaitable[None]] | None = None
    fault: BaseException | None = None
    names: tuple[str, ...] = ()
    revision: str = "store:7"
    denied: bool = False
    asked: list[Question] = field(default_factory=list)
    told: list[dict[str, object]] = field(default_factory=list)
    judging: None = None
    """Nothing is kept true."""

    def at_hand(self, encoded: bytes, read: Callable[[], Question]) -> Decision | None:
        """Nothing is: every question goes the long way."""
        return None

    async def authorize(
        self,
        question: Question,
        *,
        explain: bool = False,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> Decision:
        self.asked.append(question)
        self.told.append({"explain": explain, "at_least": at_least, "patience": patience})
        if self.then is not None:
            await self.then(question)
        if self.fault is not None:
            raise self.fault
        texts = (question.token, question.route, question.method, question.model or "", *question.fallback_models)
        texts += (question.team_id or "", question.team_alias or "", question.end_user_id, question.organization_id)
        broken = self.denied or any("\x00" in text for text in texts)
        return decision(DENY if broken else ALLOW, number=len(self.asked))

    async def authorize_many(
        self,
        questions: Sequence[Question],
        *,
        explain: bool = False,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> list[Decision | Fault]:
        results: list[Decision | Fault] = []
        for question in questions:
            try:
                results.append(await self.authorize(question, explain=explain, at_least=at_least, patience=patience))
            except Fault as fault:
                results.append(fault)
        return results

    async def models(
        self,
        question: Question,
        *,
        after: str,
        limit: int,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> ModelsPage:
        answer = await self.authorize(question, at_least=at_least, patience=patience)
        if answer.verdict.effect is Effect.DENY:
            return ModelsPage((), "", answer, self.revision)
        names = [name for name in self.names if name > after]
        last = names[limit - 1] if len(names) > limit else ""
        return ModelsPage(tuple((name, name) for name in names[:limit]), last, None, self.revision)


def ready() -> Readiness:
    readiness = Readiness()
    readiness.policy_loaded(["idp"])
    readiness.issuer("idp", usable=True)
    readiness.directory(fresh=True)
    return readiness


@asynccontextmanager
async def running(
    authorizer: object | None = None,
    *,
    limits: Limits | None = None,
    readiness: Readiness | None = None,
    listen: Listen | None = None,
    may_explain: bool = True,
    begins: Begins | None = None,
    directory: KeptDirectory | None = None,
    sessions: SessionDesk | None = None,
    revocations: KeptRevocations | None = None,
    envoy: EnvoyTerms | None = None,
    listener: Listener | None = None,
    on_wait: Callable[[float], None] | None = None,
    moment: float = 0.01,
    **options: int,
) -> AsyncIterator[Serving]:
    """One that runs. Few tests are about calls that come while it ends, and need a real `moment` for that."""
    async with serving(
        authorizer or Answers(),  # type: ignore[arg-type]
        listen=replace(listen or Listen(address="127.0.0.1:0", grace=1.0), moment=moment),
        limits=limits or Limits(),
        readiness=readiness or ready(),
        begins=begins or Admission(Terms(may_explain=may_explain)).begins,
        directory=directory,
        sessions=sessions,
        revocations=revocations,
        envoy=envoy,
        listener=listener,
        on_wait=on_wait,
        **options,
    ) as server:
        yield server


@asynccontextmanager
async def calling(server: Serving, *options: tuple[str, object]) -> AsyncIterator[grpc.aio.Channel]:
    # Without retries, so that a test sees what the server said.
    always = (("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1))
    async with grpc.aio.insecure_channel(server.address, options=(*always, *options)) as channel:
        yield channel


@dataclass
class Outcome:
    """How one raw call went."""

    code: grpc.StatusCode
    details: str = ""
    reason: str = ""
    domain: str = ""
    retry_after: float | None = None
    answer: bytes = b""


async def call(channel: grpc.aio.Channel, method: str, data: bytes, *, timeout: float = 10, **more: object) -> Outcome:
    """One call of our own API with raw bytes."""
    try:
        answer = await channel.unary_unary(f"{SERVICE}/{method}")(data, timeout=timeout, **more)
    except grpc.aio.AioRpcError as error:
        return ended(error)
    return Outcome(grpc.StatusCode.OK, answer=answer)


def ended(error: grpc.aio.AioRpcError) -> Outcome:
    outcome = Outcome(error.code(), error.details() or "")
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info, retry = ErrorInfo(), RetryInfo()
                if detail.Unpack(info):
                    outcome.reason, outcome.domain = info.reason, info.domain
                elif detail.Unpack(retry):
                    outcome.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return outcome


def check_bytes(**options: object) -> bytes:
    return api.CheckRequest(question=QUESTION, options=api.Options(**options)).SerializeToString()
