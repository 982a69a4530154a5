"""Asks over HTTP/1.1 as a gateway's clients do: each connection as soon as it has its answer, or one alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import uvloop

_OK = b"HTTP/1.1 200 "
_LENGTH = b"content-length: "


class _Connection(asyncio.Protocol):
    """One connection, with one request under way."""

    def __init__(self, requests: Sequence[bytes], first: int, waits: list[float]) -> None:
        self._requests, self._number, self._waits = requests, first, waits
        self._transport: Any = None
        self._begin, self._got = 0.0, b""
        self.on = False
        self.wrong = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def start(self) -> None:
        self.on = True
        self._ask()

    def _ask(self) -> None:
        self._begin = time.perf_counter()
        self._transport.write(self._requests[self._number % len(self._requests)])
        self._number += 1

    def data_received(self, data: bytes) -> None:
        self._got += data
        head = self._got.find(b"\r\n\r\n")
        if head < 0:
            return
        place = self._got.find(_LENGTH, 0, head)
        size = int(self._got[place + len(_LENGTH) : self._got.index(b"\r\n", place)]) if place >= 0 else 0
        if len(self._got) < head + 4 + size:
            return
        self.wrong += not self._got.startswith(_OK)
        self._got = b""
        self._waits.append(time.perf_counter() - self._begin)
        if self.on:
            self._ask()

    def close(self) -> None:
        self._transport.close()


async def _run(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> list[float]:
    loop, waits = asyncio.get_running_loop(), list[float]()
    each = max(1, len(requests) // connections)
    made: list[_Connection] = []
    for number in range(connections):
        _, connection = await loop.create_connection(
            lambda first=number * each: _Connection(requests, first, waits),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        made.append(connection)
    for connection in made:
        connection.start()
    await asyncio.sleep(seconds)
    for connection in made:
        connection.on = False
        connection.close()
    if any(connection.wrong for connection in made):
        raise AssertionError("a request was not answered with 200")
    return waits


def asked(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> list[float]:
    """The seconds that each request took, of as many as fit into that time."""
    return uvloop.run(_run(port, requests, connections, seconds))
