"""One connection of a caller, as bare as it can be, so that the caller's processor is not what is measured.

It keeps to what a gRPC client keeps to: no more streams than the server allows and no more bytes than its window,
calls wait in order of arrival, one whose deadline passes is given up, and cancelled if it was sent.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from typing import cast

from usher.v1 import authorization_service_pb2 as api

_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_CANCEL = 8
_MAX_STREAMS = 3
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame of HTTP/2."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header that enters no table."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request_headers(method: str, timeout_ms: int | None = None) -> bytes:
    """The headers of a call of that full name."""
    headers = b"\x83\x86" + literal(b":path", method.encode()) + literal(b":authority", b"usher")
    headers += literal(b"te", b"trailers") + literal(b"content-type", b"application/grpc")
    if timeout_ms is not None:
        headers += literal(b"grpc-timeout", b"%dm" % timeout_ms)
    return headers


@dataclass(slots=True)
class Seen:
    """What became of calls."""

    served: list[tuple[float, float, float]] = field(default_factory=list)
    """When it was due, and the seconds from then, and from its sending, to the answer."""
    refused: int = 0
    """Ended by the server without an answer."""
    waited: int = 0
    """Given up before they were sent: the server has never heard of them."""
    late: int = 0
    """Given up after they were sent."""
    wrong: int = 0
    """Answered with anything but ALLOW. None ever is, or nothing of it counts."""


@dataclass(slots=True)
class Call:
    """A call that is due, or under way."""

    due: float
    message: bytes
    seen: Seen
    sent: float = 0.0
    answered: bool = False


class Line(asyncio.Protocol):
    """A connection that makes calls."""

    def __init__(self, method: str, deadline: float, seen: Seen) -> None:
        self._headers = request_headers(method, int(deadline * 1000))
        self._deadline = deadline
        self.seen = seen
        self._buffer = b""
        self._next = 1
        self._room = 100
        self._window = 65535
        self._flying: dict[int, Call] = {}
        self._waiting: deque[Call] = deque()
        self.settled = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's are none by class
        windows = struct.pack("!HI", 4, 1 << 20)
        self._transport.write(
            PREFACE + frame(_SETTINGS, 0, 0, windows) + frame(_WINDOW, 0, 0, struct.pack("!I", (1 << 31) - 1 - 65535))
        )

    @property
    def flying(self) -> int:
        """Calls that were sent and have not ended."""
        return len(self._flying)

    def ask(self, message: bytes, due: float) -> None:
        """A call is due; `flush` sends it as soon as it may be sent."""
        self._waiting.append(Call(due, b"\x00" + struct.pack("!I", len(message)) + message, self.seen))

    def flush(self) -> None:
        """Sends what may be sent, and gives up what is too late."""
        now = time.monotonic()
        out = []
        while self._waiting:
            call = self._waiting[0]
            if now - call.due > self._deadline:
                self._waiting.popleft()
                call.seen.waited += 1
                continue
            if len(self._flying) >= self._room or len(call.message) > self._window:
                break
            self._waiting.popleft()
            stream, self._next = self._next, self._next + 2
            self._flying[stream] = call
            call.sent = now
            self._window -= len(call.message)
            out.append(frame(_HEADERS, _END_HEADERS, stream, self._headers))
            out.append(frame(_DATA, _END_STREAM, stream, call.message))
        for stream, call in list(self._flying.items()):
            # In order of their sending, which is that of their deadlines.
            if now - call.due <= self._deadline:
                break
            del self._flying[stream]
            if not call.answered:
                call.seen.late += 1
                out.append(frame(_RST, 0, stream, struct.pack("!I", _CANCEL)))
        if out:
            self._transport.write(b"".join(out))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        at, size = 0, len(buffer)
        while size - at >= 9:
            length = int.from_bytes(buffer[at : at + 3], "big")
            if size - at < 9 + length:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            stream = int.from_bytes(buffer[at + 5 : at + 9], "big")
            self._frame(kind, flags, stream, buffer[at + 9 : at + 9 + length])
            at += 9 + length
        self._buffer = buffer[at:]
        self.flush()

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._answer(stream, payload)
        elif (kind == _HEADERS and flags & _END_STREAM) or kind == _RST:
            call = self._flying.pop(stream, None)
            if call is not None and not call.answered:
                call.seen.refused += 1
        elif kind == _WINDOW and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind == _PING and not flags & _ACK:
            self._transport.write(frame(_PING, _ACK, 0, payload))
        elif kind == _SETTINGS and not flags & _ACK:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack("!HI", payload[at : at + 6])
                if name == _MAX_STREAMS:
                    self._room = value
            self._transport.write(frame(_SETTINGS, _ACK, 0))
            if not self.settled.done():
                self.settled.set_result(None)

    def _answer(self, stream: int, payload: bytes) -> None:
        call = self._flying.get(stream)
        if call is None or not payload:
            return
        # Answers are far shorter than a frame may be.
        if api.CheckResponse.FromString(payload[5:]).decision.effect != 1:
            call.seen.wrong += 1
        else:
            now = time.monotonic()
            call.seen.served.append((call.due, now - call.due, now - call.sent))
        call.answered = True

    def connection_lost(self, error: Exception | None) -> None:
        for call in self._flying.values():
            call.seen.refused += 1
        self._flying.clear()

    def close(self) -> None:
        """Hangs up."""
        self._transport.close()
