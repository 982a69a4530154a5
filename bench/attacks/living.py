"""python -m bench.attacks.living PORT SECONDS MESSAGES OUT: holds 1,000 living decisions on ten connections meanwhile.

Prints "ready" once all have their first decision. Writes JSON into OUT: how many streams lived to the end, how many
ended before, and the longest that any stream was silent for, in seconds.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.living import SUBSCRIBED, WATCHED, Clients, Held

CONNECTIONS = 10
STREAMS = CONNECTIONS * (WATCHED + 1)
"""On each connection one of Subscribe, and those of Authorize."""


class Hearing(Clients):
    """Clients who know how long each stream has been silent."""

    def __init__(self, port: int, requests: tuple[bytes, ...]) -> None:
        super().__init__(port, requests)
        self.heard: dict[int, float] = {}
        self.silence = 0.0

    def take(self, held: Held | None, event: Any) -> None:
        super().take(held, event)
        # An Authorize stream is its decision; a Subscribe stream's checkpoints name none, and come together.
        now, key = time.monotonic(), id(held)
        self.silence = max(self.silence, now - self.heard.get(key, now))
        self.heard[key] = now


async def run(port: int, seconds: float, requests: tuple[bytes, ...]) -> dict[str, float]:
    """Opens all, and holds them that long."""
    clients = Hearing(port, requests)
    living: list[asyncio.Task[None]] = []
    for place in range(CONNECTIONS):
        living.append(asyncio.create_task(clients.connect(place)))
        await clients.until(lambda: clients.events >= len(living) * (SUBSCRIBED + WATCHED), 60)
    print("ready", flush=True)
    clients.heard.clear()
    await asyncio.sleep(seconds)
    # A connection whose one stream fails loses all of its streams.
    failed = sum(1 for each in living if each.done())
    ended = clients.ends + failed * (WATCHED + 1)
    for each in living:
        each.cancel()
    await asyncio.gather(*living, return_exceptions=True)
    return {"streams": STREAMS, "ended": ended, "silence": clients.silence}


if __name__ == "__main__":
    port, seconds, file, out = sys.argv[1:]
    found = uvloop.run(run(int(port), float(seconds), tuple(pickle.loads(Path(file).read_bytes()))))
    Path(out).write_text(json.dumps(found))
