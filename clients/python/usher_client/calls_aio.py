"""Calls for asyncio, whose failures are faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc.aio

from usher_client.answers import fault_of
from usher_client.faults import Closed, Unavailable, UsherFault
from usher_client.turns import Turns
from usher_client.watch_channels import WatchChannels


def begun(call: Callable[[], Any]) -> Any:
    """The call that this begins. Raises Closed."""
    try:
        return call()
    except grpc.aio.UsageError:
        pass  # the channel was closed before the call
    raise Closed


class WatchCalls:
    """Begins what is watched, on connections of its own."""

    def __init__(self, opened: Callable[[], grpc.aio.Channel]) -> None:
        self.turns = Turns()
        self._channels = WatchChannels(opened, self._let_go)
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def calls(self) -> tuple[int, ...]:
        """The calls on each connection."""
        return self._channels.calls

    def begin(self, request: bytes, metadata: Any) -> Any:
        """A call of Authorize. Raises Closed."""
        place = self._channels.take()
        try:
            call = begun(partial(place.authorize, request, metadata=metadata))
        except BaseException:
            self._channels.leave(place)
            raise
        call.add_done_callback(lambda _: self._channels.leave(place))
        return call

    async def close(self) -> None:
        """Ends all calls."""
        for channel in self._channels.close():
            await channel.close()
        while self._closing:
            await asyncio.wait(self._closing)

    def _let_go(self, channel: grpc.aio.Channel) -> None:
        task = asyncio.get_running_loop().create_task(channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def outcome(call: Callable[[], Any]) -> object:
    """What comes of it. Raises UsherFault."""
    awaited = begun(call)
    fault: UsherFault
    try:
        return await awaited
    except grpc.aio.AioRpcError as error:
        fault = fault_of(error)
    except asyncio.InvalidStateError:
        fault = Unavailable()  # what grpc raises when the call has ended before
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Nobody cancelled this task: the call was cancelled, or the channel closed under it.
        fault = Closed()
    raise fault
