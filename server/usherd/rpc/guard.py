"""Stands around every handler: whatever goes wrong in there leaves as one of our faults, in constant words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from usherd.errors import Fault, InternalFault
from usherd.rpc.faults import ending

if TYPE_CHECKING:
    # Generic in the stubs only.
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
else:
    Context = grpc.aio.ServicerContext

Serve = Callable[[Any, Context], Awaitable[Any]]
"""A handler of any shape: what was received (a message or an iterator of them) and the context; an answer or None."""

_log = logging.getLogger("usherd.rpc")


def guarded(serve: Serve, at_hand: Callable[[Any], bytes | None] | None = None) -> Serve:
    """`serve`, with every exception turned into a fault's status.

    `at_hand` is asked first: what it returns at once is the answer, and None leaves it to `serve`.

    grpc.aio would send the text of an exception to the caller. Each handler is wrapped once, when the server is
    built: an interceptor would do the same at the price of two more coroutines for each call.
    """

    async def handler(received: Any, context: Context) -> Any:
        try:
            if at_hand is not None and (answer := at_hand(received)) is not None:
                return answer
            return await serve(received, context)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Fault as fault:
            report_bug_in(fault)
            end = ending(fault)
        except Exception as error:
            report_bug(error)
            end = ending(InternalFault())
        # Not inside of `except`: what is raised here must not carry the exception along as its context.
        await context.abort(*end)

    return handler


def report_bug_in(fault: Fault) -> None:
    """Logs the bug that an InternalFault stands for. Other faults are no bugs."""
    if isinstance(fault, InternalFault):
        report_bug(fault.__cause__ or fault)


def report_bug(error: BaseException) -> None:
    """Logs what kind of exception it was and where it came from, and never what it says."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = "" if frame is None else f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
    _log.error("internal_fault", extra={"error": type(error).__name__, "where": where})
