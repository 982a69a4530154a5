"""Serves usher.v1.AuthorizationService: bytes to a question, the authorizer's answer to bytes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from usher.v1 import authorization_service_pb2 as api
from usherd.calls import Asked, Call, Listener, one_by_one
from usherd.domain import Decision, Question
from usherd.errors import ExplanationNotAllowed, FaultReason, InvalidRequest
from usherd.rpc import answers, translate
from usherd.rpc.bugs import bug_behind, report_bug
from usherd.rpc.deadline import Answer, bounded
from usherd.rpc.guard import AtHand, Context, Serve
from usherd.rpc.lenient import parse_asked
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.names import AUTHORIZATION
from usherd.rpc.pages import Pages
from usherd.rpc.translate import Wishes
from usherd.shadow import Answering
from usherd.turns import Turn

Result = TypeVar("Result")

_WATCH = api.MODE_WATCH

PATIENCE = 0.9
"""The share of a call's time that may be spent on waiting for facts or keys; the rest is for saying that in vain."""


class AsksToWatch(Exception):
    """Authorize was asked for in MODE_WATCH, which takes more than one answer."""

    def __init__(self, request: api.AuthorizeRequest) -> None:
        super().__init__()
        self.request = request


class AuthorizationService:
    """The four methods, each from bytes to bytes. No method catches what the authorizer raises."""

    def __init__(self, authorizer: Answering, *, limits: Limits, gate: Gate, listener: Listener | None = None) -> None:
        self._authorizer = authorizer
        self.limits = limits
        self._gate = gate
        self._listener = listener
        self._pages = Pages()

    def answer_with(self, authorizer: Answering) -> None:
        """From now on questions are for this authorizer; those that are with another one stay there."""
        self._authorizer = authorizer
        answers.forget_kept()

    def handlers(self, watch: Serve | None = None) -> dict[str, Serve]:
        """The handler of each method's full name, under the deadline of both sides.

        `watch` serves Authorize in MODE_WATCH, and takes the request itself; None: that mode is not known here.

        Authorize is a server stream in the contract. A stream of one message is on the wire what a unary answer is,
        so it is served as one: that spares the core a batch of operations for each call. Where there are more, the
        handler writes them by itself, and the last one is what it returns.
        """
        methods: dict[str, Answer] = {
            "Authorize": self.authorize,
            "Check": self.check,
            "BatchCheck": self.batch_check,
            "ListModels": self.list_models,
        }
        found = {f"/{AUTHORIZATION}/{name}": bounded(answer, self.limits.deadline) for name, answer in methods.items()}
        found[f"/{AUTHORIZATION}/Authorize"] = _once_or_watched(found[f"/{AUTHORIZATION}/Authorize"], watch)
        return found

    def at_hand(self) -> dict[str, AtHand]:
        """For methods that ask one question, by full name: the answer without waiting, or None for the handler's.

        Most questions are asked again and again. Their answers need no deadline and no place in the queue, which
        cost more than finding them.
        """
        return {
            f"/{AUTHORIZATION}/Authorize": self._authorize_at_hand,
            f"/{AUTHORIZATION}/Check": self._check_at_hand,
        }

    def _authorize_at_hand(self, data: bytes, call: Call) -> bytes | None:
        request = parse_asked(api.AuthorizeRequest, data)
        translate.check_mode(request)
        decision = None if request.mode == _WATCH else self._decision_at_hand(request, call)
        return None if decision is None else answers.authorize_response(decision, keep=True)

    def _check_at_hand(self, data: bytes, call: Call) -> bytes | None:
        decision = self._decision_at_hand(parse_asked(api.CheckRequest, data), call)
        return None if decision is None else answers.check_response(decision, keep=True)

    def _decision_at_hand(self, request: api.AuthorizeRequest | api.CheckRequest, call: Call) -> Decision | None:
        encoded, wishes = translate.encoded(request), translate.wishes(request)
        if wishes.explain or wishes.at_least is not None:
            return None
        return self.known(
            encoded,
            lambda: translate.question(request),
            call,
            wishes.request_id,
            lambda: translate.asked(request.question),
        )

    def known(
        self,
        encoded: bytes,
        read: Callable[[], Question],
        call: Call,
        request_id: str,
        asked: Callable[[], Asked],
    ) -> Decision | None:
        """The decision that can be given without waiting, if there is one. `encoded` says the whole question, which
        `read` makes of it where that is needed."""
        decision = None if self._gate.closed else self._authorizer.at_hand(encoded, read)
        if decision is not None and self._listener is not None:
            self._listener.decided(call, request_id, asked, decision)
        return decision

    async def authorize(self, data: bytes, call: Call, seconds: float) -> bytes:
        """The only message of the stream: the decision, and that it is the only one. Raises AsksToWatch."""
        request = parse_asked(api.AuthorizeRequest, data)
        question, wishes = translate.question(request), allowed(translate.wishes(request), call)
        translate.check_mode(request)
        if request.mode == _WATCH:
            raise AsksToWatch(request)
        return answers.authorize_response(await self.decide(question, wishes, call, seconds))

    async def check(self, data: bytes, call: Call, seconds: float) -> bytes:
        """The decision."""
        request = parse_asked(api.CheckRequest, data)
        question, wishes = translate.question(request), allowed(translate.wishes(request), call)
        return answers.check_response(await self.decide(question, wishes, call, seconds))

    async def batch_check(self, data: bytes, call: Call, seconds: float) -> bytes:
        """A decision or a fault for each item."""
        request = parse_asked(api.BatchCheckRequest, data)
        ids, questions = translate.items(request)
        wishes = allowed(translate.wishes(request), call)
        weight = self._gate.weigh(len(questions))
        results = await self._inside(
            weight,
            lambda: self._authorizer.authorize_many(
                questions, explain=wishes.explain, at_least=wishes.at_least, patience=seconds * PATIENCE
            ),
        )
        turn = Turn(time.monotonic)
        for listener in one_by_one(self._listener):
            for question, result in zip(questions, results, strict=True):
                await turn.maybe_yield()
                if isinstance(result, Decision):
                    _tell(listener, call, wishes, question, result)
        for result in results:
            if not isinstance(result, Decision) and (bug := bug_behind(result)) is not None:
                trace_id = "" if call.trace is None else call.trace.trace_id
                report_bug(bug, method=call.method, request_id=wishes.request_id, trace_id=trace_id)
        return answers.batch_response(ids, results)

    async def list_models(self, data: bytes, call: Call, seconds: float) -> bytes:
        """A page of models, or the denial whatever the model."""
        request = parse_asked(api.ListModelsRequest, data)
        question, wishes = translate.question(request), translate.wishes(request)
        size = translate.page_size(request)
        revision, after = self._pages.open(question, request.page_token)
        page = await self._inside(
            1,
            lambda: self._authorizer.models(
                question, after=after, limit=size, at_least=wishes.at_least, patience=seconds * PATIENCE
            ),
        )
        if revision and page.revision != revision:
            raise InvalidRequest(FaultReason.PAGE_INVALID)
        if page.denial is not None and self._listener is not None:
            _tell(self._listener, call, wishes, question, page.denial)
        following = self._pages.token(question, page.revision, page.last)
        return answers.models_response(page.models, following, page.denial, page.revision)

    async def decide(self, question: Question, wishes: Wishes, call: Call, seconds: float) -> Decision:
        """The decision, once it is this call's turn. Raises Fault."""
        decision = await self._inside(
            1,
            lambda: self._authorizer.authorize(
                question, explain=wishes.explain, at_least=wishes.at_least, patience=seconds * PATIENCE
            ),
        )
        if self._listener is not None:
            _tell(self._listener, call, wishes, question, decision)
        return decision

    async def _inside(self, weight: int, work: Callable[[], Awaitable[Result]]) -> Result:
        await self._gate.enter(weight)
        try:
            return await work()
        finally:
            self._gate.leave(weight)


def _tell(listener: Listener, call: Call, wishes: Wishes, question: Question, decision: Decision) -> None:
    asked = Asked(question.route, question.method, question.model)
    listener.decided(call, wishes.request_id, lambda: asked, decision)


def allowed(wishes: Wishes, call: Call) -> Wishes:
    """The wishes, if the caller may have them. Raises ExplanationNotAllowed."""
    if wishes.explain and not call.may_explain:
        raise ExplanationNotAllowed
    return wishes


def _once_or_watched(once: Serve, watch: Serve | None) -> Serve:
    async def serve(data: Any, context: Context, call: Call) -> Any:
        try:
            return await once(data, context, call)
        except AsksToWatch as asked:
            request = asked.request
        if watch is None:
            raise InvalidRequest(FaultReason.MODE_UNKNOWN)
        return await watch(request, context, call)

    return serve
