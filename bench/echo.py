"""A bare grpc.aio server that answers the contract's calls with one fixed answer: the floor to compare with.

python -m bench.echo ANSWER_FILE    prints its port; ends with its standard input
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

if hasattr(os, "SCHED_BATCH"):
    # As the daemon does, before grpc starts threads: both must stand on the same floor.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

import grpc.aio
import uvloop

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import authorization_service_pb2_grpc as stubs


class Echo(stubs.AuthorizationServiceServicer):
    """Parses each request, decides nothing, and serialises the one answer."""

    def __init__(self, answer: bytes) -> None:
        decision = api.CheckResponse.FromString(answer).decision
        self._streamed = api.AuthorizeResponse(decision=decision, terms=api.StreamTerms(mode=api.MODE_ONCE))
        self._unary = api.CheckResponse(decision=decision)

    async def Authorize(self, request: api.AuthorizeRequest, context: Any) -> None:
        await context.write(self._streamed)

    async def Check(self, request: api.CheckRequest, context: Any) -> api.CheckResponse:
        return self._unary


async def serve(answer: bytes) -> None:
    """Serves until standard input ends."""
    server = grpc.aio.server()
    stubs.add_AuthorizationServiceServicer_to_server(Echo(answer), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]).read_bytes()))
