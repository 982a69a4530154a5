"""A gRPC service whose every call is asked about. Messages are JSON here, so that no code has to be generated.

pip install usher-client
USHERD=localhost:50051 python grpc_service.py

The policy opens the method to whom it may be open, like any route: `routes: [/demo.v1.Chat/*]`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from usher_client import AsyncClient, DecisionCache
from usher_client.interceptors import AsyncAuthorization, current_decision


async def complete(request: dict[str, Any], _: Any) -> AsyncIterator[dict[str, Any]]:
    """Words for the caller, for as long as the caller may have them."""
    principal = current_decision().principal
    yield {"for": principal.subject if principal else ""}
    for number in range(int(request.get("words", 600))):
        yield {"word": number}
        await asyncio.sleep(0.1)


def service() -> grpc.GenericRpcHandler:
    """`demo.v1.Chat`, as generated code would register it."""
    method: Any = grpc.unary_stream_rpc_method_handler(complete, json.loads, lambda answer: json.dumps(answer).encode())
    return grpc.method_handlers_generic_handler("demo.v1.Chat", {"Complete": method})


async def main() -> None:
    """Serves until it is ended."""
    async with AsyncClient(os.environ.get("USHERD", "localhost:50051"), cache=DecisionCache()) as usherd:
        server = grpc.aio.server(interceptors=[AsyncAuthorization(usherd)])
        server.add_generic_rpc_handlers((service(),))
        port = server.add_insecure_port(os.environ.get("LISTEN", "localhost:50052"))
        await server.start()
        print(f"listening at port {port}", flush=True)
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
