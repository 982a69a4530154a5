"""Calls for threads, whose failures are faults."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import grpc

from usher_client.answers import fault_of
from usher_client.faults import Closed
from usher_client.turns import Turns
from usher_client.watch_channels import WatchChannels


def outcome(call: Callable[[], Any]) -> Any:
    """What comes of it. Raises UsherFault."""
    try:
        return call()
    except grpc.RpcError as error:
        fault = fault_of(cast(grpc.Call, error))
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
