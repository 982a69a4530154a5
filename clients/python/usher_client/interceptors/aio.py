"""The interceptor for `grpc.aio`."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import aclosing
from typing import Any, Final

import grpc
import grpc.aio

from usher_client.aio import AsyncClient
from usher_client.decision import Decision
from usher_client.faults import UsherFault
from usher_client.gateway.asks import Asks, Watching
from usher_client.gateway.telling import Telling
from usher_client.gateway.watching import Watched
from usher_client.http.reading import Reading
from usher_client.interceptors.current import set_current
from usher_client.interceptors.reading import (
    UNKNOWN,
    Ending,
    cut,
    denied,
    is_unasked,
    read_call,
    unasked_methods,
)
from usher_client.questions import DEFAULT_DEADLINE, checked_deadline

_log: Final = logging.getLogger("usher_client")
_USUAL: Final = Reading()

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


class AsyncAuthorization(grpc.aio.ServerInterceptor):
    """Asks before a call's first message is read.

    `usherd` is a client of the event loop that the server runs in; whoever opened it closes it. `reading` says which
    metadata carry what. `unasked` are full names of methods, or of services with their slash, that nobody is asked
    about, such as "/grpc.health.v1.Health/". Raises ValueError for what is none.
    """

    def __init__(
        self,
        usherd: AsyncClient | Asks,
        *,
        reading: Reading = _USUAL,
        unasked: Collection[str] = (),
        deadline: float = DEFAULT_DEADLINE,
    ) -> None:
        self._usherd: Any = usherd
        self._reading = reading
        self._unasked = unasked_methods(unasked)
        self._deadline = checked_deadline(deadline)
        self._telling = Telling()

    async def intercept_service(self, continuation: Continuation, handler_call_details: Any) -> Any:
        """The handler of a call that may pass, and one that ends any other."""
        method = str(handler_call_details.method)
        if is_unasked(method, self._unasked):
            return await continuation(handler_call_details)
        call = read_call(method, handler_call_details.invocation_metadata, self._reading)
        if isinstance(call, Ending):
            return _ended(call)
        token, asked = call
        asking = {"deadline": self._deadline, **asked.wishes()}
        decided = await self._decide(token, asking)
        if isinstance(decided, Ending):
            return _ended(decided)
        handler = await continuation(handler_call_details)
        if handler is None:
            return None

        def opened(deadline: float) -> Watching:
            watch: Watching = self._usherd.watch(token, **asking | {"deadline": deadline})
            return watch

        return _passing(handler, decided, Watched(opened, self._deadline, self._telling))

    async def _decide(self, token: str, asking: dict[str, Any]) -> Decision | Ending:
        try:
            decision: Decision = await self._usherd.authorize(token, **asking)
        except UsherFault as fault:
            self._telling.no_decision(fault)
            return UNKNOWN
        except Exception as error:
            _log.error("no decision: %s", type(error).__name__)
            return UNKNOWN
        return decision if decision.allowed is True else denied(decision)


def _ended(ending: Ending) -> Any:
    """Ends a call of any shape at once: nothing of it is read."""

    async def end(_: Any, context: Any) -> None:
        await context.abort(ending.code, ending.text, ending.trailers)

    return grpc.stream_stream_rpc_method_handler(end)


def _passing(handler: Any, decision: Decision, watched: Watched) -> Any:
    codec = (handler.request_deserializer, handler.response_serializer)
    match handler.request_streaming, handler.response_streaming:
        case False, False:
            return grpc.unary_unary_rpc_method_handler(_answering(handler.unary_unary, decision), *codec)
        case True, False:
            return grpc.stream_unary_rpc_method_handler(_answering(handler.stream_unary, decision), *codec)
        case False, _:
            return grpc.unary_stream_rpc_method_handler(_streaming(handler.unary_stream, decision, watched), *codec)
        case _:
            return grpc.stream_stream_rpc_method_handler(_streaming(handler.stream_stream, decision, watched), *codec)


def _answering(inner: Callable[..., Any], decision: Decision) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(inner):

        async def answer(request: Any, context: Any) -> Any:
            set_current(decision)
            return await inner(request, context)

        return answer

    def answer_in_a_thread(request: Any, context: Any) -> Any:
        set_current(decision)
        return inner(request, context)

    return answer_in_a_thread


def _streaming(inner: Callable[..., Any], decision: Decision, watched: Watched) -> Callable[..., Any]:
    if not inspect.isasyncgenfunction(inner) and not inspect.iscoroutinefunction(inner):
        # Nothing could end one that runs in a thread of grpc's.
        raise TypeError("expected an asynchronous handler for a streamed response")

    async def stream(request: Any, context: Any) -> None:
        set_current(decision)
        gate = _Gate(context)

        async def run() -> None:
            if inspect.isasyncgenfunction(inner):
                async with aclosing(inner(request, gate)) as responses:
                    async for response in responses:
                        await gate.write(response)
            else:
                await inner(request, gate)

        await gate.run(run, watched)

    return stream


def _looked_at(task: asyncio.Task[None]) -> None:
    """A handler that was cancelled does not hear what became of what it sent."""
    if not task.cancelled():
        task.exception()


class _Gate:
    """A context that lets nothing more out once its call is cut. Whatever else it is asked, the real one answers."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._end: BaseException | None = None
        self._sending: asyncio.Task[None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        """Sends a response. Raises what the call was ended with, if it was."""
        await self._send(self._context.write(message))

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Sends what comes before the first response. Raises as `write` does."""
        await self._send(self._context.send_initial_metadata(metadata))

    async def _send(self, sending: Coroutine[Any, Any, None]) -> None:
        if self._end is not None:
            sending.close()
            raise self._end
        # gRPC goes on sending when the handler is cancelled, and can send no status until it is done.
        self._sending = asyncio.create_task(sending)
        self._sending.add_done_callback(_looked_at)
        await asyncio.shield(self._sending)

    async def run(self, work: Callable[[], Awaitable[None]], watched: Watched) -> None:
        """Runs the handler until it ends or its call is cut."""
        host = asyncio.current_task()
        watcher = asyncio.create_task(self._watch(watched, host))
        try:
            await work()
        except (Exception, asyncio.CancelledError):
            if self._end is None:
                raise
        finally:
            if self._end is None:
                watcher.cancel()
            await asyncio.wait({watcher} if self._sending is None else {watcher, self._sending})
        if self._end is not None:
            raise self._end

    async def _watch(self, watched: Watched, host: Any) -> None:
        denial: Decision | None = None
        try:
            denial = await watched.not_allowed()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        ending = cut(denial)
        # From here on nothing is written; it is the client's to hear before the handler has ended.
        self._end = ConnectionError("the call was cut")
        if self._sending is not None:
            await asyncio.wait({self._sending})
        try:
            await self._context.abort(ending.code, ending.text, ending.trailers)
        except BaseException as error:
            self._end = error
        host.cancel()
