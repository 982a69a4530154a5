"""One replica: a real usherd in a process of its own, at the same address each time, which can be killed."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from commands import PATIENCE, USHERD, environment
from tools.log_lines import whole_lines
from tools.ports import free_port


class Replica:
    """One replica."""

    def __init__(self, number: int, folder: Path, program: Sequence[str] = USHERD) -> None:
        """`program` are Python's arguments that run it."""
        self.number = number
        self.address = f"127.0.0.1:{free_port()}"
        self.config = folder / f"replica-{number}.yaml"
        self.log = folder / f"replica-{number}.log"
        self._program = program
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Starts it; returns when it says that it serves."""
        with self.log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, *self._program, "serve", "--config", str(self.config)),
                env=environment(),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        assert line, self.log.read_text()[-4000:]

    async def kill(self) -> float:
        """Ends it without a word, and returns when that was, by the monotonic clock."""
        assert self._process is not None
        at = time.monotonic()
        if self.runs:
            self._process.kill()
        await self._process.communicate()
        return at

    async def stop(self) -> int:
        """Ends it as an operator does, and returns its exit code."""
        assert self._process is not None
        if self.runs:
            self._process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.communicate()
        except TimeoutError:
            await self.kill()
        return self._process.returncode or 0

    def events(self) -> Counter[str]:
        """How often its log has each event, of all its lives."""
        found: Counter[str] = Counter()
        for line in whole_lines(self.log):
            try:
                found[json.loads(line)["event"]] += 1
            except (ValueError, KeyError, TypeError):
                # A line that kill -9 has cut, or gRPC's own.
                found["(no event)"] += 1
        return found
