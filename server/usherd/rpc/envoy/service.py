"""Serves envoy.service.auth.v3.Authorization: bytes to a question, the authorizer's answer to bytes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Mapping
from typing import NamedTuple

from usher.v1 import question_pb2
from usherd.callers import ENVOY
from usherd.calls import Asked, Call, Listener
from usherd.decide import deny
from usherd.domain import Decision, Question
from usherd.errors import CallerNotAllowed, CallerUnknown, Fault
from usherd.inbound.handed_on import GatewayRules
from usherd.inbound.refused import TERMS, Cause, RequestRefused
from usherd.ports import NewId
from usherd.rpc.deadline import bounded
from usherd.rpc.envoy.answers import Answers, failure
from usherd.rpc.envoy.attributes import Taken, Taker
from usherd.rpc.guard import AtHand, Context, Serve
from usherd.rpc.options import MAX_REQUEST
from usherd.rpc.service import AuthorizationService
from usherd.rpc.trace_context import trace_of
from usherd.rpc.translate import Wishes

CHECK = f"/{ENVOY}/Check"

_ROOM = 1024 * 1024
"""Bytes that a message may have besides the body: what is longer than the server takes would be no denial."""

_AT_ONCE = 16 * 1024
"""Bytes of a body that is read in between; a longer one is read beside what else is to do."""
_IN_TIME = 0.95
"""The share of Envoy's own time after which it is told that there is no decision, so that it hears of it."""

_NOBODY = Asked("", "", None)


class EnvoyTerms(NamedTuple):
    """How Envoy is answered."""

    rules: GatewayRules
    new_id: NewId
    """For denials without a question."""


def largest_message(terms: EnvoyTerms) -> int:
    """Bytes of the largest message that a server takes then; methods of our own look for themselves."""
    return max(MAX_REQUEST, _ROOM + terms.rules.max_body)


class EnvoyService:
    """Its one method. Questions are answered by the same authorizer, at the same gate, as those of our own API."""

    def __init__(self, served: AuthorizationService, terms: EnvoyTerms, listener: Listener | None = None) -> None:
        self._served = served
        self._rules, self._new_id = terms
        self._listener = listener
        self._taker = Taker(self._rules)
        self._answers = Answers(self._rules)
        self._reading = asyncio.Semaphore(1)

    def handlers(self) -> dict[str, Serve]:
        """The handler of its method, by full name."""
        return {CHECK: bounded(self.check, self._served.limits.deadline, _IN_TIME)}

    def at_hand(self) -> dict[str, AtHand]:
        """The answer without waiting, or None for the handler's, by the method's full name."""
        return {CHECK: self._at_hand}

    def forget(self) -> None:
        """Forgets what was kept of an authorizer that answers no more."""
        self._answers.forget()

    def marks(self, received: bytes, context: Context, call: Call) -> Mapping[str, str]:
        """What tells a call with a bug from others: as `marks.marks_of`."""
        found = {"method": CHECK}
        trace = call.trace or trace_of(context)
        if trace is not None:
            found["trace_id"] = trace.trace_id
        with contextlib.suppress(RequestRefused):
            found["request_id"] = self._taker.taken(received).request_id
        return found

    def _at_hand(self, data: bytes, call: Call) -> bytes | None:
        request: Taken | None = None
        try:
            request = self._taker.taken(data)
            if len(request.received.body) > _AT_ONCE:
                return None
            question = request.question(self._rules)
        except RequestRefused as refused:
            return self._refused(refused.cause, request, call)
        decision = self._served.known(
            _encoded(question), lambda: question, call, request.request_id, functools.partial(_asked, question)
        )
        return None if decision is None else self._answers.of(decision, request.sent, keep=True)

    async def check(self, data: bytes, call: Call, seconds: float) -> bytes:
        """The answer. Raises Fault."""
        request: Taken | None = None
        try:
            request = self._taker.taken(data)
            question = await self._question(request)
        except RequestRefused as refused:
            return self._refused(refused.cause, request, call)
        decision = await self._served.decide(question, Wishes(request_id=request.request_id), call, seconds)
        return self._answers.of(decision, request.sent)

    async def _question(self, request: Taken) -> Question:
        if len(request.received.body) <= _AT_ONCE:
            return request.question(self._rules)
        # One at a time: several would take the interpreter from each other, and from everybody else.
        async with self._reading:
            return await asyncio.to_thread(request.question, self._rules)

    def _refused(self, cause: Cause, request: Taken | None, call: Call) -> bytes:
        """A denial without a question, which stands in the records all the same."""
        terms = TERMS[cause]
        verdict = deny(terms.reason, http_status=terms.status)
        decision = Decision(verdict, self._new_id(), "", time.time(), False)
        if self._listener is not None:
            asked, request_id = _NOBODY, ""
            if request is not None:
                asked = Asked(request.received.target.partition("?")[0], request.received.method, None)
                request_id = request.request_id
            self._listener.decided(call, request_id, lambda: asked, decision)
        return self._answers.refused(cause, decision)


def instead(fault: Fault) -> bytes | None:
    """What Envoy is told where there is no decision. Whoever may not ask is told so by a status, as everywhere."""
    return None if isinstance(fault, CallerUnknown | CallerNotAllowed) else failure(fault)


def _encoded(question: Question) -> bytes:
    """The question as our own API has it, so that it is known whichever way it is asked."""
    made = question_pb2.Question(
        token=question.token,
        route=question.route,
        method=question.method,
        model=question.model,
        fallback_models=question.fallback_models,
        team_id=question.team_id,
        team_alias=question.team_alias,
        end_user_id=question.end_user_id,
        organization_id=question.organization_id,
        modifies_guardrails=question.modifies_guardrails,
    )
    return bytes(made.SerializeToString())


def _asked(question: Question) -> Asked:
    return Asked(question.route, question.method, question.model)
