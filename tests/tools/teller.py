"""The story server in a process of its own, and what can be asked of it over HTTP.

with teller() as server:
    server.grpc                     the target for clients
    server.stories()                what can be told
    server.post("lab/begin", teams=8)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import environment

TESTS = Path(__file__).parents[1]
_PATIENCE = 60.0
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Teller:
    """A story server that runs."""

    grpc: str
    http: str
    pid: int

    def stories(self, without: str = "") -> dict[str, Any]:
        """As `GET /stories`; `without` is a list of keys with commas."""
        return self._asked(f"stories?without={without}", None)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to a POST."""
        return self._asked(path, json.dumps(body).encode())

    def _asked(self, path: str, body: bytes | None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.http}/{path}", data=body)
        with _NO_PROXY.open(request, timeout=_PATIENCE) as response:
            found: dict[str, Any] = json.load(response)
        return found


def story_server(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command that starts it, and its environment."""
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    return [sys.executable, "-m", "tools.story_server", *arguments], environment({"PYTHONPATH": path})


@contextmanager
def teller(*arguments: str) -> Iterator[Teller]:
    """Starts it with these arguments, and ends it."""
    command, env = story_server(*arguments)
    process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Teller(**json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
