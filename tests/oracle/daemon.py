"""A real usherd in a process of its own, whose policy changes at a signal, with what can be seen of it from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from commands import USHERD, server_beside
from oracle.judge import PolicyInForce
from oracle.provider import Issuer
from oracle.timeline import Reload
from tools.log_lines import whole_lines

ROUTE = "/v1/chat/completions"
ALWAYS, SOMETIMES, NEVER = "gpt-4o", "o3", "claude-3"
"""Models: granted by every policy, by one of the two, by none."""
POLICIES = ([ALWAYS], [ALWAYS, SOMETIMES])
DEADLINE = 5.0
PATIENCE = 60.0
LOOK_EVERY = 0.05


async def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Returns when it holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (it is for another process to bring it about)
            await asyncio.sleep(LOOK_EVERY)


class Daemon:
    """An usherd that answers."""

    def __init__(
        self, process: asyncio.subprocess.Process, address: str, folder: Path, providers: Sequence[Issuer]
    ) -> None:
        self.process = process
        self.address = address
        self.providers = providers
        start = Reload(float("-inf"), float("-inf"))
        self.policies = [PolicyInForce(frozenset(POLICIES[0]), start)]
        self._folder = folder

    async def reload(self) -> None:
        """Changes the policy to the other one, and returns when that is in force."""
        models = POLICIES[len(self.policies) % 2]
        count = len(self.events("reloaded"))
        configure(self._folder, self.providers, models)
        self._changed(models, Reload(time.monotonic()), new=True)
        self.process.send_signal(signal.SIGHUP)
        await until(lambda: len(self.events("reloaded")) > count)
        self._changed(models, Reload(self.policies[-1].reload.asked, time.monotonic()), new=False)

    def _changed(self, models: list[str], reload: Reload, *, new: bool) -> None:
        for log in [self.policies, *(each.watched.history.reloads for each in self.providers)]:
            entry: Any = PolicyInForce(frozenset(models), reload) if log is self.policies else reload
            if new:
                log.append(entry)
            else:
                log[-1] = entry

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log with that event."""
        lines = whole_lines(self._folder / "server.log")
        return [json.loads(line) for line in lines if f'"{name}"' in line]

    def counts(self) -> dict[str, int]:
        """How often the log has each event."""
        lines = whole_lines(self._folder / "server.log")
        return dict(Counter(json.loads(line)["event"] for line in lines))

    def memory(self) -> int:
        """Bytes of memory that the process holds."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def configure(folder: Path, providers: Sequence[Issuer], models: list[str]) -> Path:
    """Writes the configuration with which tokens of every provider are granted those models."""
    file = folder / "usherd.yaml"
    written = folder / "usherd.yaml.new"
    written.write_text(
        json.dumps(
            {
                "issuers": [each.configuration() for each in providers],
                "roles": [role for each in providers for role in each.roles(models)],
                "models": [{"name": name} for name in (ALWAYS, SOMETIMES, NEVER)],
                "server": {"address": "127.0.0.1:0", "limits": {"deadline": f"{DEADLINE:g}s"}},
                "insecure": {"loopback_http": True},
            }
        )
    )
    # At once: usherd must never read half of it.
    return written.replace(file)


@asynccontextmanager
async def daemon(
    folder: Path, providers: Sequence[Issuer], *, program: Sequence[str] = USHERD
) -> AsyncIterator[Daemon]:
    """Starts it, and ends it. `program` are Python's arguments that run it."""
    config = configure(folder, providers, POLICIES[0])
    async with server_beside(config, program=program) as (process, address):
        yield Daemon(process, address, folder, providers)
