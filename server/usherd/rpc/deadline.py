"""Serves one answer within the time that both sides give it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from usherd.calls import Call
from usherd.rpc.guard import Context, Serve
from usherd.rpc.limits import within

Answer = Callable[[bytes, Call, float], Coroutine[None, None, bytes]]
"""From a request's bytes, its call and the seconds there are to the answer's bytes. Raises Fault."""


def bounded(answer: Answer, longest: float, share: float = 1.0) -> Serve:
    """`answer`, which ends with OutOfTime after `longest` seconds, or at the caller's own deadline; where its caller
    is to hear of that, after a share of the time until then."""

    async def serve(data: bytes, context: Context, call: Call) -> bytes:
        remaining = context.time_remaining()
        seconds = longest if remaining is None else min(remaining * share, longest)
        return await within(seconds, answer(data, call, seconds))

    return serve
