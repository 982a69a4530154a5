"""Builds the smoke programs of the other languages, and runs them against a server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[2] / "clients"
BUILD_SECONDS = 300
RUN_SECONDS = 60


def go_program(folder: Path) -> list[str]:
    """The command that runs the Go program, built anew."""
    program = folder / "smoke"
    build([tool("go"), "build", "-o", str(program), "./smoke"], CLIENTS / "go")
    return [str(program)]


def typescript_program(folder: Path) -> list[str]:
    """The command that runs the TypeScript program, type-checked and built anew."""
    home = CLIENTS / "typescript"
    build([tool("npm"), "ci", "--no-progress"], home)
    build([tool("npm"), "run", "build"], home)
    return [tool("node"), str(home / "dist" / "smoke.js")]


async def run(command: Sequence[str], target: str, route: str, model: str, tokens: Sequence[str]) -> list[Any]:
    """What the program printed: two objects a token."""
    process = await asyncio.create_subprocess_exec(
        *command,
        target,
        route,
        model,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            out, err = await process.communicate("\n".join(tokens).encode() + b"\n")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return [json.loads(line) for line in out.splitlines()]


def tool(name: str) -> str:
    """Where that program is."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"the peers need {name}")
    return found


def build(command: Sequence[str], folder: Path) -> None:
    """Runs a command that makes something, and fails with what it said."""
    # Output of the tools goes into the failure, not past pytest.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
