"""python -m bench.overload.caller: calls at a fixed rate, whatever becomes of the calls (an open loop).

Reads its orders as one line of JSON, and prints what it saw as one.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.overload.line import Line, Seen
from usher.v1 import authorization_service_pb2 as api

TICK = 0.001


async def run(orders: dict[str, Any], messages: list[bytes]) -> dict[str, Any]:
    """Goes through the phases, each (rate in calls a second, seconds), and says what became of each one's calls."""
    method = "/usher.v1.AuthorizationService/Check"
    loop = asyncio.get_running_loop()
    lines: list[Line] = []
    for _ in range(orders["connections"]):
        _, line = await loop.create_connection(
            lambda: Line(method, orders["deadline"], Seen()), "127.0.0.1", orders["port"]
        )
        await line.settled
        lines.append(line)
    number = orders["first"]
    begin = orders["start"]
    phases = []
    cpu = time.process_time()
    for rate, seconds in orders["phases"]:
        seen = Seen()
        for line in lines:
            line.seen = seen
        due, end = begin, begin + seconds
        count = 0
        lag = 0.0
        while due < end:
            now = time.monotonic()
            lag = max(lag, now - due)
            while due <= now and due < end:
                request = messages[number % len(messages)] + suffix(number)
                lines[number % len(lines)].ask(request, due)
                number += 1
                count += 1
                due += 1 / rate
            for line in lines:
                line.flush()
            await asyncio.sleep(TICK)
        begin = end
        spent = time.process_time() - cpu
        cpu += spent
        phases.append((seen, rate, seconds, count, spent, lag))
    # The last ones have until their deadline.
    last = time.monotonic() + orders["deadline"] + 0.2
    while time.monotonic() < last:
        for line in lines:
            line.flush()
        await asyncio.sleep(TICK)
    for line in lines:
        line.close()
    return {
        "phases": [
            {
                "offered": count,
                "served": seen.served,
                "refused": seen.refused,
                "waited": seen.waited,
                "late": seen.late,
                "wrong": seen.wrong,
                "cpu": spent,
                "lag": lag,
            }
            for seen, _, _, count, spent, lag in phases
        ]
    }


def suffix(number: int) -> bytes:
    """Put behind a request it becomes part of it, so that no two bodies are the same."""
    return api.CheckRequest(options=api.Options(request_id=f"load-{number:09d}")).SerializeToString()


if __name__ == "__main__":
    given = json.loads(sys.stdin.readline())
    told = json.dumps(uvloop.run(run(given, pickle.loads(Path(given["messages"]).read_bytes()))))
    # More than a pipe holds; without a buffer, what does not fit at once would be lost.
    rest = memoryview(told.encode())
    while rest:
        rest = rest[os.write(sys.stdout.fileno(), rest) :]
