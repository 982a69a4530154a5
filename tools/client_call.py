"""Imports every stub and all of the client, makes one call with each face of it, and another until it comes from the
cache, on the runtime that runs this.

Arguments are pins such as grpcio==1.78.0 that the runtime must fit. Nothing but the client and what it needs is
imported: a gateway has no more.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import grpc

import usher_client
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, principal_pb2, reason_pb2
from usher.v1.authorization_service_pb2_grpc import (
    AuthorizationServiceServicer,
    add_AuthorizationServiceServicer_to_server,
)
from usher_client import AsyncClient, Client, DecisionCache

STUBS = ("authorization_service", "decision", "fault", "principal", "question", "event", "reason")
NEEDS_MORE = ("usher_client.litellm",)
"""What is only imported where LiteLLM is."""
PATIENCE = 30.0
"""Seconds."""


class Allowing(AuthorizationServiceServicer):  # type: ignore[misc]
    """Allows every question."""

    def Authorize(self, request, context):  # type: ignore[no-untyped-def]
        """One ALLOW."""
        yield api.AuthorizeResponse(decision=allowance(), terms=api.StreamTerms(mode=api.MODE_ONCE))

    def Subscribe(self, requests, context):  # type: ignore[no-untyped-def]
        """An ALLOW for each question, which holds."""
        terms = api.StreamTerms(mode=api.MODE_WATCH)
        terms.max_silence.FromSeconds(60)
        for request in requests:
            for each in request.add:
                decision = allowance()
                yield api.SubscribeResponse(
                    id=each.id, decision_id=decision.decision_id, decision=decision, terms=terms
                )
                terms = None


def allowance() -> decision_pb2.Decision:
    """An ALLOW that may be kept for a minute."""
    decision = decision_pb2.Decision(
        effect=decision_pb2.EFFECT_ALLOW,
        reason=reason_pb2.REASON_ALLOWED,
        principal=principal_pb2.Principal(kind=principal_pb2.PRINCIPAL_KIND_USER),
        decision_id="0" * 26,
        cacheable=True,
    )
    decision.valid_until.FromSeconds(int(time.time()) + 60)
    return decision


async def ask(target: str) -> bool:
    """Whether the client for asyncio reads an ALLOW, and keeps it."""
    async with AsyncClient(target) as client:
        if not await client.authorize("token", "/v1/models", deadline=10):
            return False
    until = time.monotonic() + PATIENCE
    async with AsyncClient(target, cache=DecisionCache()) as client:
        while (statistics := client.cache_statistics()) is not None and time.monotonic() < until:
            if not await client.authorize("token", "/v1/models", deadline=10):
                return False
            if statistics.hits:
                return True
            await asyncio.sleep(0.01)
    return False


def ask_from_a_thread(target: str) -> bool:
    """The same for the client of threads."""
    with Client(target) as client:
        if not client.authorize("token", "/v1/models", deadline=10):
            return False
    until = time.monotonic() + PATIENCE
    with Client(target, cache=DecisionCache()) as client:
        while (statistics := client.cache_statistics()) is not None and time.monotonic() < until:
            if not client.authorize("token", "/v1/models", deadline=10):
                return False
            if statistics.hits:
                return True
            time.sleep(0.01)
    return False


def import_all() -> None:
    """Imports every module of the client that needs nothing but what the client needs."""
    for found in pkgutil.walk_packages(usher_client.__path__, "usher_client."):
        if not found.name.startswith(NEEDS_MORE):
            importlib.import_module(found.name)


def main() -> int:
    """Makes the calls; an exception is the failure."""
    for pin in sys.argv[1:]:
        name, _, expected = pin.partition("==")
        if version(name) != expected:
            raise SystemExit(f"expected {pin}, found {version(name)}")
    for stub in STUBS:
        importlib.import_module(f"usher.v1.{stub}_pb2")
        importlib.import_module(f"usher.v1.{stub}_pb2_grpc")
    import_all()
    server = grpc.server(ThreadPoolExecutor(4))
    add_AuthorizationServiceServicer_to_server(Allowing(), server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        return 0 if ask_from_a_thread(target) and asyncio.run(ask(target)) else 1
    finally:
        server.stop(None).wait()


if __name__ == "__main__":
    sys.exit(main())
