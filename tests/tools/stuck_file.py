"""A file that takes lines when a test lets it."""

from __future__ import annotations

import threading
from pathlib import Path

from tools.waiting import PATIENCE
from usherd.telemetry.line_file import LineFile, LineFileUnusable


class Stuck(LineFile):
    """A disk that a test holds up, or that fails; it takes a few bytes at a time."""

    def __init__(self, path: Path, at_once: int = 1 << 20) -> None:
        super().__init__(path)
        self.free = threading.Event()
        self.free.set()
        self.broken = False
        self.at_once = at_once

    def write(self, data: bytes | memoryview) -> int:
        assert self.free.wait(PATIENCE)
        if self.broken:
            raise LineFileUnusable("no space left on device")
        return super().write(data[: self.at_once])
