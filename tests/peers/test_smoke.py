"""Stubs in other languages read a decision, a denial and a fault of a real usherd as what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from peers.programs import go_program, run, typescript_program
from tools.daemon import MODEL, ROUTE, daemon

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

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


@pytest.mark.parametrize("program", [go_program, typescript_program], ids=["go", "typescript"])
async def test_decision_denial_and_fault_are_told_apart(program: Callable[[Path], list[str]], tmp_path: Path) -> None:
    command = program(tmp_path)
    async with daemon(tmp_path) as usherd:
        tokens = [usherd.tokens[each] for each in ("allow", "deny", "fault")]
        outcomes = await run(command, usherd.target, ROUTE, MODEL, tokens)

    assert outcomes == [
        {"rpc": rpc, **expected} for expected in (ALLOWED, DENIED, FAULT) for rpc in ("Authorize", "Check")
    ]
