"""Imports every stub and makes one call with each face of the client, on the runtime that runs this.

Arguments are pins such as grpcio==1.78.0 that the runtime must fit. Nothing but the client and what it needs is
imported: a gateway has no more.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import grpc

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, principal_pb2, reason_pb2
from usher.v1.authorization_service_pb2_grpc import (
    AuthorizationServiceServicer,
    add_AuthorizationServiceServicer_to_server,
)
from usher_client import AsyncClient, Client

STUBS = ("authorization_service", "decision", "fault", "principal", "question", "reason")


class Allowing(AuthorizationServiceServicer):  # type: ignore[misc]
    """Allows every question."""

    def Authorize(self, request, context):  # type: ignore[no-untyped-def]
        """One ALLOW."""
        yield api.AuthorizeResponse(
            decision=decision_pb2.Decision(
                effect=decision_pb2.EFFECT_ALLOW,
                reason=reason_pb2.REASON_ALLOWED,
                principal=principal_pb2.Principal(kind=principal_pb2.PRINCIPAL_KIND_USER),
            ),
            terms=api.StreamTerms(mode=api.MODE_ONCE),
        )


async def ask(target: str) -> bool:
    """Whether the client for asyncio reads an ALLOW."""
    async with AsyncClient(target) as client:
        return bool(await client.authorize("token", "/v1/models", deadline=10))


def main() -> int:
    """Makes the calls; an exception is the failure."""
    for pin in sys.argv[1:]:
        name, _, expected = pin.partition("==")
        if version(name) != expected:
            raise SystemExit(f"expected {pin}, found {version(name)}")
    for stub in STUBS:
        importlib.import_module(f"usher.v1.{stub}_pb2")
        importlib.import_module(f"usher.v1.{stub}_pb2_grpc")
    server = grpc.server(ThreadPoolExecutor(1))
    add_AuthorizationServiceServicer_to_server(Allowing(), server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with Client(target) as client:
            allowed = bool(client.authorize("token", "/v1/models", deadline=10))
        return 0 if allowed and asyncio.run(ask(target)) else 1
    finally:
        server.stop(None).wait()


if __name__ == "__main__":
    sys.exit(main())
