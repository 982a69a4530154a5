"""Stubs in other languages read a decision, a denial and a fault as what they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from clients.scripted import SERVICE, allow, deny, details, event
from peers.programs import go_program, run, typescript_program
from usher.v1 import authorization_service_pb2 as api

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

ROUTE = "/v1/chat/completions"
ALLOWED = {
    "allowed": True,
    "effect": "EFFECT_ALLOW",
    "reason": "REASON_ALLOWED",
    "http_status": 200,
    "status": "OK",
    "fault_reason": "",
}
DENIED = {
    "allowed": False,
    "effect": "EFFECT_DENY",
    "reason": "REASON_TOKEN_EXPIRED",
    "http_status": 401,
    "status": "OK",
    "fault_reason": "",
}
FAULT = {
    "allowed": False,
    "effect": "",
    "reason": "",
    "http_status": 0,
    "status": "Unavailable",
    "fault_reason": "KEYS_UNAVAILABLE",
}


@asynccontextmanager
async def scripted_usherd() -> AsyncIterator[str]:
    """Answers by the token's word: allow, deny, anything else is a fault."""
    decisions = {"allow": allow(), "deny": deny()}

    async def decision_for(token: str, context: Any) -> Any:
        if token not in decisions:
            trailers = (("grpc-status-details-bin", details("KEYS_UNAVAILABLE", retry_after=1)),)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not available", trailers)
        return decisions[token]

    async def authorize(request: bytes, context: Any) -> None:
        question = api.AuthorizeRequest.FromString(request).question
        await context.write(event(await decision_for(question.token, context)))

    async def check(request: bytes, context: Any) -> bytes:
        question = api.CheckRequest.FromString(request).question
        return api.CheckResponse(decision=await decision_for(question.token, context)).SerializeToString()

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    methods = {
        "Authorize": grpc.unary_stream_rpc_method_handler(authorize),
        "Check": grpc.unary_unary_rpc_method_handler(check),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@pytest.mark.parametrize("program", [go_program, typescript_program], ids=["go", "typescript"])
async def test_decision_denial_and_fault_are_told_apart(program: Callable[[Path], list[str]], tmp_path: Path) -> None:
    command = program(tmp_path)
    async with scripted_usherd() as target:
        outcomes = await run(command, target, ROUTE, "gpt-4o", ["allow", "deny", "fault"])

    assert outcomes == [
        {"rpc": rpc, **expected} for expected in (ALLOWED, DENIED, FAULT) for rpc in ("Authorize", "Check")
    ]
