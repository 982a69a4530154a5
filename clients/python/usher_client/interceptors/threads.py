"""The interceptor for gRPC servers with threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NoReturn

import grpc

from usher_client.decision import Decision
from usher_client.events import NoLongerAllowed, Unknown
from usher_client.faults import UsherFault
from usher_client.gateway.telling import Telling
from usher_client.http.reading import Reading
from usher_client.interceptors.current import set_current
from usher_client.interceptors.handing import Handed
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
from usher_client.sync import Client

_log: Final = logging.getLogger("usher_client")
_USUAL: Final = Reading()


class Authorization(grpc.ServerInterceptor):
    """Asks in the thread that serves a call, before the service's own code runs.

    A streamed response takes two more threads for as long as it lasts: one that makes it, and one that hears whether it
    may go on. The arguments are those of `AsyncAuthorization`, with a `Client`. Raises ValueError.
    """

    def __init__(
        self,
        usherd: Client,
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

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """The handler, which asks first. This runs in the one thread that takes all calls: nothing waits here."""
        handler = continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or is_unasked(method, self._unasked):
            return handler
        codec = (handler.request_deserializer, handler.response_serializer)
        match handler.request_streaming, handler.response_streaming:
            case False, False:
                answer = self._answering(handler.unary_unary, method)
                return grpc.unary_unary_rpc_method_handler(answer, *codec)
            case True, False:
                return grpc.stream_unary_rpc_method_handler(self._answering(handler.stream_unary, method), *codec)
            case False, _:
                return grpc.unary_stream_rpc_method_handler(self._streaming(handler.unary_stream, method), *codec)
            case _:
                return grpc.stream_stream_rpc_method_handler(self._streaming(handler.stream_stream, method), *codec)

    def _answering(self, inner: Callable[..., Any], method: str) -> Callable[..., Any]:
        def answer(request: Any, context: Any) -> Any:
            token, asking = self._call(method, context)
            set_current(self._decided(context, lambda: self._usherd.authorize(token, **asking)))
            return inner(request, context)

        return answer

    def _streaming(self, inner: Callable[..., Any], method: str) -> Callable[..., Any]:
        def stream(request: Any, context: Any) -> Iterator[Any]:
            token, asking = self._call(method, context)
            with self._usherd.watch(token, **asking) as watch:
                set_current(self._decided(context, watch.first))
                handed = Handed(lambda: inner(request, context))
                # A client that goes must not leave this thread waiting for what nobody will read.
                if not context.add_callback(handed.stop):
                    handed.stop()
                try:
                    yield from watch.guard(handed, handed.stop)
                except NoLongerAllowed as no:
                    if isinstance(no.event, Unknown):
                        self._telling.cut(no.event.fault)
                    ending = cut(no.decision)
                except UsherFault as fault:
                    self._telling.cut(fault)
                    ending = UNKNOWN
                else:
                    return
                finally:
                    handed.stop()
            _end(context, ending)

        return stream

    def _call(self, method: str, context: Any) -> tuple[str, dict[str, Any]]:
        call = read_call(method, context.invocation_metadata(), self._reading)
        if isinstance(call, Ending):
            _end(context, call)
        token, asked = call
        return token, {"deadline": self._deadline, **asked.wishes()}

    def _decided(self, context: Any, ask: Callable[[], Decision]) -> Decision:
        ending = UNKNOWN
        try:
            decision = ask()
            if decision.allowed is True:
                return decision
            ending = denied(decision)
        except UsherFault as fault:
            self._telling.no_decision(fault)
        except Exception as error:
            _log.error("no decision: %s", type(error).__name__)
        _end(context, ending)


def _end(context: Any, ending: Ending) -> NoReturn:
    context.set_trailing_metadata(ending.trailers)
    context.abort(ending.code, ending.text)
    raise RuntimeError("a call that was aborted goes on")
