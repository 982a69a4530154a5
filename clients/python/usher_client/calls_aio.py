"""Calls for asyncio, whose failures are faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc.aio

from usher_client.answers import fault_of
from usher_client.faults import Closed


def begun(call: Callable[[], Any]) -> Any:
    """The call that this begins. Raises Closed."""
    try:
        return call()
    except grpc.aio.UsageError:
        pass  # the channel was closed before the call
    raise Closed


async def outcome(call: Callable[[], Any]) -> object:
    """What comes of it. Raises UsherFault."""
    awaited = begun(call)
    try:
        return await awaited
    except grpc.aio.AioRpcError as error:
        fault = fault_of(error)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Nobody cancelled this task: the call was cancelled, or the channel closed under it.
        fault = Closed()
    raise fault
