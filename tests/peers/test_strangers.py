"""Strangers' programs read a decision, a denial and a fault of a real usherd as what they are, with the clients that
they would have: the Go module, the npm package as it is published, the Python package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peers.programs import go_program, python_program, run, typescript_program
from tools.daemon import MODEL, ROUTE, daemon

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

NOTHING = {"allowed": False, "reason": "", "http_status": 0, "unavailable": False, "fault_reason": ""}
ALLOWED = NOTHING | {"allowed": True, "reason": "ALLOWED", "http_status": 200}
DENIED = NOTHING | {"reason": "TOKEN_EXPIRED", "http_status": 401}
FAULT = NOTHING | {"unavailable": True, "fault_reason": "KEYS_UNAVAILABLE"}
CALLS = ("authorize", "again", "batch")


@pytest.mark.parametrize(
    "program", [go_program, typescript_program, python_program], ids=["go", "typescript", "python"]
)
async def test_decision_denial_and_fault_are_told_apart(program: Callable[[Path], list[str]], tmp_path: Path) -> None:
    command = program(tmp_path)
    async with daemon(tmp_path) as usherd:
        tokens = [usherd.tokens[each] for each in ("allow", "deny", "fault")]
        outcomes = await run(command, usherd.target, ROUTE, MODEL, tokens)

    expected: list[dict[str, Any]] = [{"call": call} | each for each in (ALLOWED, DENIED, FAULT) for call in CALLS]
    assert outcomes == expected
