"""Calls replicas: which one, again and again until it is known what came of it, and over connections that mend soon."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from tools.rpc_world import Outcome, ended
from usher.v1 import directory_service_pb2, revocation_service_pb2

OPTIONS = (
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 300),
)
"""A replica that is there again is to be found at once."""
DEADLINE = 4.0
"""Seconds that a caller waits for one answer."""
AGAIN_AFTER = 0.1
SERVICES = {
    "directory": directory_service_pb2.DESCRIPTOR.services_by_name["DirectoryService"],
    "revocation": revocation_service_pb2.DESCRIPTOR.services_by_name["RevocationService"],
}
PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)
"""What a call may end with while something fails; whatever else it ends with is a defect."""


def is_strange(fault: Outcome) -> bool:
    """Whether a call ended with what no death of a replica or database explains.

    A connection that breaks may be INTERNAL to gRPC; usherd's own faults have a reason.
    """
    return fault.code not in PASSING and bool(fault.reason or fault.code is not grpc.StatusCode.INTERNAL)


class Refused(Exception):
    """A write ended with what no fault of a database or replica explains."""


class Managing:
    """Writes through whichever replica answers, and repeats each write under its request id until it is known."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._channels = [grpc.aio.insecure_channel(address, options=OPTIONS) for address in addresses]
        self._turn = itertools.cycle(range(len(addresses)))
        self._requests = itertools.count(1)
        self.repeated = 0
        """Writes that had to be sent more than once."""
        self.faults: Counter[str] = Counter()

    async def close(self) -> None:
        """Ends the connections."""
        for channel in self._channels:
            await channel.close()

    async def once(self, service: str, method: str, *, deadline: float = DEADLINE, **fields: Any) -> Any:
        """One call. Raises AioRpcError."""
        described = SERVICES[service]
        made = described.methods_by_name[method]
        channel = self._channels[next(self._turn)]
        call = channel.unary_unary(
            f"/{described.full_name}/{method}", None, GetMessageClass(made.output_type).FromString
        )
        request = GetMessageClass(made.input_type)(**fields)
        return await call(request.SerializeToString(), timeout=deadline)

    async def write(self, service: str, method: str, **fields: Any) -> Any:
        """The answer to a write, which is sent until there is one. Raises Refused."""
        return await self.until_answered(service, method, request_id=f"chaos-{next(self._requests)}", **fields)

    async def until_answered(self, service: str, method: str, **fields: Any) -> Any:
        """The answer to a call that may be repeated. Raises Refused."""
        for attempt in itertools.count():
            try:
                return await self.once(service, method, **fields)
            except grpc.aio.AioRpcError as error:
                fault = ended(error)
            self.faults[f"{method} {fault.code.name} {fault.reason}".strip()] += 1
            if is_strange(fault):
                raise Refused(f"{method}: {fault.code.name} {fault.reason}: {fault.details}")
            self.repeated += attempt == 0
            await asyncio.sleep(AGAIN_AFTER)
        raise AssertionError


def revision_of(text: str) -> int:
    """The number in a revision."""
    return int(text.rpartition(":")[2] or 0)
