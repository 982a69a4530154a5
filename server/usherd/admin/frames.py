"""How a worker and its supervisor talk: JSON objects over a pair of sockets that nobody else has, each bounded."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

MAX_FRAME = 16 * 1024 * 1024
"""Bytes of the longest: a report with some ten thousand series."""
_HEAD = struct.Struct("!I")


class NotAFrame(Exception):
    """What came is nothing that the other side would have sent."""


def frame(told: dict[str, Any]) -> bytes:
    """A message as it is sent."""
    return framed(json.dumps(told).encode())


def framed(body: bytes) -> bytes:
    """A message whose JSON is written already."""
    return _HEAD.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message; None when the other side has closed. Raises NotAFrame."""
    try:
        (size,) = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        if size > MAX_FRAME:
            raise NotAFrame
        told = json.loads(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, OSError):
        return None
    except ValueError:
        raise NotAFrame from None
    if not isinstance(told, dict):
        raise NotAFrame
    return told
