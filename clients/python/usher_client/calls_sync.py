"""Calls for threads, whose failures are faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import grpc

from usher_client.answers import fault_of
from usher_client.faults import Closed


def outcome(call: Callable[[], Any]) -> Any:
    """What comes of it. Raises UsherFault."""
    try:
        return call()
    except grpc.RpcError as error:
        fault = fault_of(cast(grpc.Call, error))
    except ValueError:
        fault = Closed()  # what grpc raises when the channel was closed before the call
    raise fault
