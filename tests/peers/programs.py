"""Builds strangers' programs, and runs them against a server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[2] / "clients"
_STRANGERS = Path(__file__).parent / "strangers"
_MODULE = "github.com/usherd/usherd/clients/go"
BUILD_SECONDS = 300
RUN_SECONDS = 60


def go_program(folder: Path) -> list[str]:
    """The command that runs the Go program, built as a module of its own that requires the client."""
    home, client = folder / "go", CLIENTS / "go"
    shutil.copytree(_STRANGERS / "go", home)
    needed = re.search(r"^require \([^)]*\)", (client / "go.mod").read_text("utf-8"), re.MULTILINE)
    assert needed is not None
    (home / "go.mod").write_text(
        f"module stranger.example/stranger\n\ngo 1.24.0\n\nrequire {_MODULE} v0.0.0\n\n{needed[0]}\n\n"
        f"replace {_MODULE} => {client}\n"
    )
    shutil.copy(client / "go.sum", home)
    build([tool("go"), "build", "-mod=mod", "-o", str(folder / "stranger"), "."], home)
    return [str(folder / "stranger")]


def typescript_program(folder: Path) -> list[str]:
    """The command that runs the program beside the npm package as it would be published."""
    client, home = CLIENTS / "typescript", folder / "typescript"
    build([tool("npm"), "ci", "--no-progress"], client)
    build([tool("npm"), "pack", "--pack-destination", str(folder)], client)
    (package,) = folder.glob("usher-client-*.tgz")
    home.mkdir()
    (home / "package.json").write_text('{"type": "module"}')
    build([tool("npm"), "install", "--no-progress", "--omit=peer", "--prefer-offline", str(package)], home)
    shutil.copy(_STRANGERS / "stranger.mjs", home)
    return [tool("node"), str(home / "stranger.mjs")]


def python_program(folder: Path) -> list[str]:
    """The command that runs the program with the Python client of this environment."""
    return [sys.executable, str(_STRANGERS / "stranger.py")]


async def run(command: Sequence[str], target: str, route: str, model: str, tokens: Sequence[str]) -> list[Any]:
    """What the program printed: an object a call."""
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
