"""Ends the streams of callers that have lost the right to them: a stream may live longer than the rules it began by."""

from __future__ import annotations

import asyncio
from typing import Any

from usherd.calls import Call
from usherd.errors import Fault, InternalFault
from usherd.rpc.guard import Begin, Context, Serve


class _Stream:
    """A stream that is open."""

    def __init__(self, context: Context, begin: Begin, call: Call) -> None:
        self._context = context
        self._begin = begin
        self._task = asyncio.current_task()
        self._cancelling = 0 if self._task is None else self._task.cancelling()
        self.call = call
        self.fault: Fault | None = None
        """Why it has to end; None: it goes on."""

    def judge(self) -> None:
        """Begins it again, as far as the caller goes, and ends it if that fails."""
        try:
            self.call = self._begin(self._context)
        except Fault as fault:
            self._end(fault)
        except Exception as bug:
            # Others are still to be judged, and who cannot be judged has no right. The guard reports the cause.
            unknown = InternalFault()
            unknown.__cause__ = bug
            self._end(unknown)

    def _end(self, fault: Fault) -> None:
        if self.fault is None and self._task is not None:
            self.fault = fault
            self._task.cancel()

    def ended_by(self) -> Fault | None:
        """Why the cancellation came that has just come; None: it was, or was also, somebody else's."""
        if self.fault is None or self._task is None or self._task.uncancel() > self._cancelling:
            return None
        return self.fault


class OpenStreams:
    """All of them, each from its first moment to its last."""

    def __init__(self, *, remember: bool = False) -> None:
        """`remember`: `lasted` is asked of each call once it has ended."""
        self.remember = remember
        self._open: dict[int, _Stream] = {}
        self._over: set[int] = set()

    def lasted(self, context: Context) -> bool:
        """Whether the call that has just ended was one of these streams."""
        if id(context) in self._over:
            self._over.remove(id(context))
            return True
        return False

    def __len__(self) -> int:
        return len(self._open)

    def kept(self, serve: Serve, begin: Begin) -> Serve:
        """`serve`, which `judge_again` can end with the fault that `begin` then raises."""

        async def keep(received: Any, context: Context, call: Call) -> Any:
            # Else gRPC could not end it while its first answer is being written: the headers would be sent twice.
            await context.send_initial_metadata(())
            # The rules may have changed meanwhile.
            call = begin(context)
            stream = _Stream(context, begin, call)
            self._open[id(context)] = stream
            try:
                return await serve(received, context, call)
            except asyncio.CancelledError:
                fault = stream.ended_by()
                if fault is None:
                    raise
            finally:
                del self._open[id(context)]
                if self.remember:
                    self._over.add(id(context))
            raise fault

        return keep

    def call_now(self, context: Context) -> Call:
        """What is known of an open stream's call by the rules of now: who serves for long asks again."""
        return self._open[id(context)].call

    def judge_again(self) -> None:
        """The rules have changed: whoever could not begin by them ends."""
        for stream in tuple(self._open.values()):
            stream.judge()
