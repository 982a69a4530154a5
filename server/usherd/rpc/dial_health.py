"""Asks a server that runs elsewhere whether questions are welcome."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2

from usherd.rpc import names, replies
from usherd.rpc.dial import Connection


async def is_serving(connection: Connection, service: str, timeout: float) -> bool:
    """What it says within `timeout` seconds, of the service or, without a name, of all of it.

    Raises the Fault that the server ended the call with.
    """
    check = connection.channel.unary_unary(
        f"/{names.HEALTH}/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        found = await check(request, timeout=timeout, metadata=connection.metadata)
    except grpc.aio.AioRpcError as error:
        ended = replies.fault(error.code(), tuple(error.trailing_metadata() or ()))
    else:
        return bool(found.status == health_pb2.HealthCheckResponse.SERVING)
    # Outside of the handler: the library's error has the peer's text in it.
    raise ended
