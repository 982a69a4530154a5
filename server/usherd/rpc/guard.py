"""Stands around every handler: whatever goes wrong in there leaves as one of our faults, in constant words, and
whoever listens hears how each call ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from usherd.calls import Call, Ended, Ending, Listener
from usherd.errors import Fault, FaultReason, InternalFault
from usherd.rpc.bugs import bug_behind, report_bug
from usherd.rpc.faults import status_of

if TYPE_CHECKING:
    # Generic in the stubs only.
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
else:
    Context = grpc.aio.ServicerContext

Serve = Callable[[Any, Context, Call], Awaitable[Any]]
"""A handler of any shape: what was received (a message or an iterator of them), gRPC's context, and what is known of
the call; an answer or None."""

AtHand = Callable[[Any, Call], bytes | None]
"""The answer that can be given without waiting, if there is one."""

Begin = Callable[[Context], Call]
"""What is known of a call before it is served. Raises Fault when it is not to be served."""

Begins = Callable[[str], Begin]
"""For each method, by full name, what is found out about a call before it is served."""

Instead = Callable[[Fault], Any]
"""What a call is answered that would end with that fault; None: it ends with it."""

Marks = Callable[[Any, Context, Call], Mapping[str, str]]
"""What tells one call from others in the log: from what was received, the context and what is known of the call."""

_UNKNOWN = Call("")
"""What is known of a call that did not begin."""

Handler = Callable[[Any, Context], Awaitable[Any]]
"""What gRPC calls."""


def method_of(received: Any, context: Context, call: Call) -> Mapping[str, str]:
    """The mark that every call has."""
    return {"method": call.method}


def guarded(
    serve: Serve,
    begin: Begin,
    at_hand: AtHand | None = None,
    listener: Listener | None = None,
    marks: Marks = method_of,
    unbegun: Call = _UNKNOWN,
    lasted: Callable[[Context], bool] | None = None,
    instead: Instead | None = None,
) -> Handler:
    """`serve`, with every exception turned into a fault's status.

    `begin` comes first; then `at_hand` is asked: what it returns at once is the answer, and None leaves it to `serve`.
    `listener` hears how each call ends. `marks` is asked only where there is a bug to report. `unbegun` is what
    is known of a call that `begin` refuses. `lasted` says whether a call was a stream that lives for long; None: no.
    `instead` may have an answer for faults, where a protocol has a message for them; None: they end calls. Listeners
    hear of the fault either way.

    grpc.aio would send the text of an exception to the caller. Each handler is wrapped once, when the server is
    built: an interceptor would do the same at the price of two more coroutines for each call.
    """

    async def handler(received: Any, context: Context) -> Any:
        started = 0.0 if listener is None else time.monotonic()
        call = unbegun
        ending: Ending = Ended.ANSWERED
        failed: Fault
        try:
            call = begin(context)
            if at_hand is not None and (answer := at_hand(received, call)) is not None:
                return answer
            return await serve(received, context, call)
        except asyncio.CancelledError:
            ending = Ended.CANCELLED
            raise
        except grpc.aio.AbortError:
            # Nobody but the health service ends a call by itself.
            ending = Ended.NOT_FOUND
            raise
        except Fault as fault:
            if (bug := bug_behind(fault)) is not None:
                report_bug(bug, **_marked(marks, received, context, call))
            # Without its traceback, which holds this frame, which would hold it.
            ending, failed = fault.reason, fault.with_traceback(None)
        except Exception as error:
            report_bug(error, **_marked(marks, received, context, call))
            ending, failed = FaultReason.INTERNAL, InternalFault()
        finally:
            if listener is not None:
                if lasted is not None and lasted(context):
                    call = call._replace(lasting=True)
                listener.ended(call, ending, time.monotonic() - started)
        # Not inside of `except`: what is raised here must not carry the exception along as its context.
        if instead is not None and (answer := instead(failed)) is not None:
            return answer
        await context.abort(*status_of(failed))

    return handler


def _marked(marks: Marks, received: Any, context: Context, call: Call) -> Mapping[str, str]:
    try:
        return marks(received, context, call)
    except Exception:
        # The bug that is to be reported may be the one that is met here, too.
        return {"method": call.method}
