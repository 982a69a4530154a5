"""Calls for threads, whose failures are faults."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import grpc

from usher_client.answers import fault_of
from usher_client.faults import Closed
from usher_client.turns import Turns
from usher_client.watch_channels import WatchChannels


def outcome(call: Callable[[], Any], closed: threading.Event | None = None) -> Any:
    """What comes of it; `closed` is set when the client is. Raises UsherFault."""
    try:
        return call()
    except grpc.RpcError as error:
        failed = cast(grpc.Call, error)
        fault = fault_of(failed)
        # A server may end a call with CANCELLED as well, and then it is its fault.
        if closed is not None and closed.is_set() and failed.code() is grpc.StatusCode.CANCELLED:
            fault = Closed()
    except ValueError:
        fault = Closed()  # what grpc raises when the channel was closed before the call
    raise fault


class WatchCalls:
    """Begins what is watched, on connections of its own."""

    def __init__(self, opened: Callable[[], grpc.Channel]) -> None:
        self.turns = Turns()
        self._channels = WatchChannels(opened, lambda channel: channel.close())

    @property
    def calls(self) -> tuple[int, ...]:
        """The calls on each connection."""
        return self._channels.calls

    def begin(self, request: bytes, metadata: Any) -> Any:
        """A call of Authorize. Raises Closed."""
        place = self._channels.take()
        left = partial(self._channels.leave, place)
        try:
            call = outcome(partial(place.authorize, request, metadata=metadata))
        except BaseException:
            left()
            raise
        if not call.add_callback(left):
            left()
        return call

    def close(self) -> None:
        """Ends all calls."""
        for channel in self._channels.close():
            channel.close()
