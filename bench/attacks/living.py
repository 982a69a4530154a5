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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import uvloop

from bench.living import SUBSCRIBED, WATCHED, Clients, Held

CONNECTIONS = 10
STREAMS = CONNECTIONS * (WATCHED + 1)
"""On each connection one of Subscribe, and those of Authorize."""


class Hearing(Clients):
    """Clients who know how long each stream has been silent."""

    def __init__(self, port: int, requests: tuple[bytes, ...], trust: bytes) -> None:
        """`trust` is the authority behind the server's certificate (PEM); empty: it has none."""
        super().__init__(port, requests)
        self._trust = trust
        self.heard: dict[int, float] = {}
        self.silence = 0.0

    def channel(self, options: Sequence[tuple[str, Any]]) -> grpc.aio.Channel:
        """As `Clients.channel`, over TLS where the server has a certificate."""
        if not self._trust:
            return super().channel(options)
        credentials = grpc.ssl_channel_credentials(self._trust)
        return grpc.aio.secure_channel(f"localhost:{self.port}", credentials, options=options)

    def take(self, held: Held | None, event: Any) -> None:
        super().take(held, event)
        # An Authorize stream is its decision; a Subscribe stream's checkpoints name none, and come together.
        now, key = time.monotonic(), id(held)
        self.silence = max(self.silence, now - self.heard.get(key, now))
        self.heard[key] = now


async def run(port: int, seconds: float, requests: tuple[bytes, ...], trust: bytes) -> dict[str, float]:
    """Opens all, and holds them that long."""
    clients = Hearing(port, requests, trust)
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
    port, seconds, file, out, trust = sys.argv[1:]
    requests = tuple(pickle.loads(Path(file).read_bytes()))
    found = uvloop.run(run(int(port), float(seconds), requests, Path(trust).read_bytes() if trust else b""))
    Path(out).write_text(json.dumps(found))
