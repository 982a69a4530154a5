"""python -m bench.closed_loop: asks over many connections, each as soon as it has its answer, for some seconds.

Reads its orders as one line of JSON, and prints what it saw as one.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import uvloop

from bench.overload.caller import suffix
from bench.overload.line import Line, Seen


class Asking(Line):
    """A connection with one call under way."""

    def __init__(self, method: str, seen: Seen, messages: list[bytes], numbers: count[int]) -> None:
        super().__init__(method, 30.0, seen)
        self._messages, self._numbers = messages, numbers
        self.on = True

    def next(self) -> None:
        """Asks, unless it is over."""
        if self.on:
            number = next(self._numbers)
            self.ask(self._messages[number % len(self._messages)] + suffix(number), time.monotonic())
            self.flush()

    def _answer(self, stream: int, payload: bytes) -> None:
        super()._answer(stream, payload)
        if payload:
            self.next()


async def run(orders: dict[str, Any], messages: list[bytes]) -> dict[str, Any]:
    """What was served in the seconds between the first and the last question, and this process's CPU for it."""
    loop, seen, numbers = asyncio.get_running_loop(), Seen(), count(orders["first"])
    lines: list[Asking] = []
    for _ in range(orders["connections"]):
        _, line = await loop.create_connection(
            lambda: Asking("/usher.v1.AuthorizationService/Check", seen, messages, numbers),
            "127.0.0.1",
            orders["port"],
        )
        await line.settled
        lines.append(line)
    # Until all have begun, and the queues are what they are going to be, nothing counts.
    for line in lines:
        line.next()
    await asyncio.sleep(orders["warm_up"])
    begin, served, cpu = time.monotonic(), len(seen.served), time.process_time()
    print("begun", flush=True)
    await asyncio.sleep(orders["seconds"])
    found = {
        "seconds": time.monotonic() - begin,
        "served": len(seen.served) - served,
        "cpu": time.process_time() - cpu,
        "refused": seen.refused,
        "wrong": seen.wrong,
    }
    for line in lines:
        line.on = False
        line.close()
    return found


def main() -> None:
    """Runs the orders on standard input."""
    orders = json.loads(sys.stdin.readline())
    messages = pickle.loads(Path(orders["messages"]).read_bytes())
    print(json.dumps(uvloop.run(run(orders, messages))), flush=True)


if __name__ == "__main__":
    main()
