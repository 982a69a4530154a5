"""Serves living decisions: Authorize in MODE_WATCH, and Subscribe."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from usher.v1 import authorization_service_pb2 as api
from usherd.calls import Asked, Call, Listener
from usherd.domain import Decision
from usherd.errors import Fault, FaultReason, InternalFault, InvalidRequest, SlowReader
from usherd.rpc import names, translate
from usherd.rpc.bugs import bug_behind, report_bug
from usherd.rpc.events import authorize_event, subscribe_event, terms_of
from usherd.rpc.guard import Context
from usherd.rpc.lenient import parse_asked
from usherd.rpc.limits import Gate, Limits, within
from usherd.rpc.service import PATIENCE, allowed
from usherd.watch.events import EndedFor, Event, Resync, explains
from usherd.watch.hub import Hub
from usherd.watch.stream import Stream
from usherd.watch.subscription import Subscription

AUTHORIZE = f"/{names.AUTHORIZATION}/Authorize"
SUBSCRIBE = f"/{names.AUTHORIZATION}/Subscribe"

CallNow = Callable[[Context], Call]
"""What is known of a stream's call by the rules of now."""


class Living:
    """The streams. First decisions are work like any other question, and go through the gate; the rest does not."""

    def __init__(
        self, hub: Hub, *, limits: Limits, gate: Gate, call_now: CallNow, listener: Listener | None = None
    ) -> None:
        self._hub = hub
        self._limits = limits
        self._gate = gate
        self._call_now = call_now
        self._listener = listener

    async def authorize(self, request: api.AuthorizeRequest, context: Context, call: Call) -> bytes:
        """Writes all events but the last one, which it returns: gRPC sends that together with the status."""
        stream = self._hub.open(_Told(self._listener, self._call_now, context), 1)
        try:
            stream.take_number(1)
            await self._add(stream, 1, request, context)
            terms: api.StreamTerms | None = terms_of(self._hub.bounds.max_silence)
            while (event := await stream.next()) is not None:
                if isinstance(event.what, Fault):
                    raise event.what
                self._check_rights(stream, event, context)
                data = authorize_event(event, terms)
                if isinstance(event.what, EndedFor | Resync):
                    return data
                await self._write(context, data)
                terms = None
        finally:
            stream.close()
        raise InternalFault

    async def subscribe(self, received: AsyncIterator[bytes], context: Context, call: Call) -> None:
        """Reads what to subscribe to in a task of its own, and writes all events."""
        told = _Told(self._listener, self._call_now, context)
        # What is kept for many requests must not take the place of those that have rows written.
        stream = self._hub.open(told, translate.MAX_SUBSCRIPTIONS, only_written=True)
        reader = asyncio.ensure_future(self._read(received, stream, context))
        try:
            terms: api.StreamTerms | None = terms_of(self._hub.bounds.max_silence)
            while (event := await stream.next()) is not None:
                self._check_rights(stream, event, context)
                await self._write(context, subscribe_event(event, terms))
                terms = None
                if isinstance(event.what, Fault) and (bug := bug_behind(event.what)) is not None:
                    report_bug(bug, method=SUBSCRIBE)
                if isinstance(event.what, Resync) and event.id == 0:
                    return
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([reader])
            stream.close()

    async def _read(self, received: AsyncIterator[bytes], stream: Stream, context: Context) -> None:
        try:
            async for data in received:
                await self._change(stream, parse_asked(api.SubscribeRequest, data), context)
                # There are tokens in it, and the next one may be long in coming.
                del data
            stream.finish()
        except Fault as fault:
            stream.fail(fault)
            stream.go_on()
        except Exception as error:
            internal = InternalFault()
            internal.__cause__ = error
            stream.fail(internal)
            stream.go_on()

    async def _change(self, stream: Stream, request: api.SubscribeRequest, context: Context) -> None:
        if len(request.add) + len(request.remove) > translate.MAX_CHANGES:
            raise InvalidRequest(FaultReason.SUBSCRIPTION_COUNT)
        for each in request.add:
            await stream.may_add()
            stream.take_number(each.id)
            try:
                await self._add(stream, each.id, each, context)
            except InvalidRequest:
                raise
            except Fault as fault:
                stream.refuse(each.id, fault)
        for number in request.remove:
            stream.remove(number)

    async def _add(
        self, stream: Stream, number: int, asked: api.AuthorizeRequest | api.SubscribeRequest.Add, context: Context
    ) -> None:
        question = translate.question(asked)
        wishes = allowed(translate.wishes(asked), self._call_now(context))
        remaining = context.time_remaining()
        seconds = self._limits.deadline if remaining is None else min(remaining, self._limits.deadline)

        async def work() -> None:
            await self._gate.enter(1)
            try:
                await stream.add(
                    number,
                    question,
                    explain=wishes.explain,
                    at_least=wishes.at_least,
                    request_id=wishes.request_id,
                    patience=seconds * PATIENCE,
                )
            finally:
                self._gate.leave(1)

        await within(seconds, work())

    def _check_rights(self, stream: Stream, event: Event, context: Context) -> None:
        """Rules may have changed since the question was asked. Raises ExplanationNotAllowed."""
        # What has ended is on the stream no more, and its last words may explain all the same.
        if stream.explains or explains(event):
            allowed(translate.Wishes(explain=True), self._call_now(context))

    async def _write(self, context: Context, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._hub.bounds.read_within) as timer:
                await context.write(data)
        except TimeoutError:
            if not timer.expired():
                raise
            self._hub.tally.slow_readers += 1
            raise SlowReader from None


class _Told:
    """Tells a listener of the decisions of one stream."""

    def __init__(self, listener: Listener | None, call_now: CallNow, context: Context) -> None:
        self._listener = listener
        self._call_now = call_now
        self._context = context

    def decided(self, subscription: Subscription, decision: Decision) -> None:
        if self._listener is not None:
            question = subscription.question
            asked = Asked(question.route, question.method, question.model)
            self._listener.decided(self._call_now(self._context), subscription.request_id, lambda: asked, decision)
