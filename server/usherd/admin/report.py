"""Writes a worker's report to its supervisor: its page of readiness, and its metrics if they are wanted."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from itertools import chain
from typing import Any

from usherd.telemetry.page import MetricsPage
from usherd.telemetry.plain import plain
from usherd.turns import Turn


async def report(told: Mapping[str, Any], page: MetricsPage | None) -> bytes:
    """The report as JSON, written a family at a time: calls are answered in between."""
    if page is None:
        return b'{"told": ' + json.dumps(told).encode() + b"}"
    turn = Turn(time.monotonic)
    families = []
    for family in chain(page.of_calls(), page.of_process()):
        families.append(json.dumps(plain(family)).encode())
        await turn.maybe_yield()
    return b'{"told": ' + json.dumps(told).encode() + b', "families": [' + b",".join(families) + b"]}"
