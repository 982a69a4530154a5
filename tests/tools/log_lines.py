"""Reads what a process is still writing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def whole_lines(file: Path) -> list[str]:
    """The lines of a log up to now. One that is being written is none yet."""
    text = file.read_text("utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def log_events(file: Path) -> list[dict[str, Any]]:
    """The events of a log of JSON lines."""
    return [json.loads(line) for line in whole_lines(file)]
