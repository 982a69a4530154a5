"""Shows the contract to tools such as grpcurl (grpc.reflection.v1alpha)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from usherd.calls import Call
from usherd.rpc.guard import Context, Serve
from usherd.rpc.lenient import parse

NAME = "grpc.reflection.v1alpha.ServerReflection"


class Reflection:
    """The library's servicer, fed with bytes, so that what does not parse is our fault and not the library's."""

    def __init__(self, services: Collection[str]) -> None:
        self._servicer = aio.ReflectionServicer(services)

    def streaming(self) -> dict[str, Serve]:
        """Its one method, by full name."""
        return {f"/{NAME}/ServerReflectionInfo": self._info}

    async def _info(self, received: AsyncIterator[bytes], context: Context, call: Call) -> None:
        async for answer in self._servicer.ServerReflectionInfo(_parsed(received), context):
            await context.write(answer.SerializeToString())


async def _parsed(received: AsyncIterator[bytes]) -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
    async for data in received:
        yield parse(reflection_pb2.ServerReflectionRequest, data)
