"""HTTP as it stands in the bytes: what no client library would send is sent, too."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpack import Decoder
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, RstStreamFrame, SettingsFrame

from tools.frames import PREFACE, block, body, head, settings

SECONDS = 20.0
Headers = Sequence[tuple[str, str | bytes]]


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def http1(port: int, method: str, target: str, headers: Headers = (), data: bytes | None = None) -> Answer:
    """One request over HTTP/1.1, on a connection of its own. Nothing of it is checked, mended or added but the host
    and the length of a body."""
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1"), b"host: gateway.example", b"connection: close"]
    lines += [
        name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()) for name, value in headers
    ]
    if data is not None:
        lines.append(b"content-length: %d" % len(data))
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + (data or b""))
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def http2(port: int, method: str, target: str, headers: Headers = (), data: bytes | None = None) -> Answer:
    """The same over HTTP/2 without TLS."""
    fields = [(":method", method), (":scheme", "http"), (":path", target), (":authority", "gateway.example")]
    fields += [(name, value) for name, value in headers]  # type: ignore[misc]
    # Large enough that nobody waits for a window.
    opening = PREFACE + settings(INITIAL_WINDOW_SIZE=1 << 24)
    sent = head(1, block(fields), *(["END_HEADERS"] if data is not None else ["END_HEADERS", "END_STREAM"]))
    if data is not None:
        sent += body(1, data, "END_STREAM")
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(opening + sent)
        return _answer(connection)


def _answer(connection: socket.socket) -> Answer:
    decoder, found, content = Decoder(), {}, b""
    with connection.makefile("rb") as stream:
        while True:
            frame, length = Frame.parse_frame_header(memoryview(stream.read(9)))
            frame.parse_body(memoryview(stream.read(length)))
            if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                connection.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
            elif isinstance(frame, HeadersFrame):
                found |= dict(decoder.decode(frame.data))
            elif isinstance(frame, DataFrame):
                content += frame.data
            elif isinstance(frame, RstStreamFrame | GoAwayFrame):
                raise ConnectionError(repr(frame))
            if frame.stream_id == 1 and "END_STREAM" in frame.flags:
                return Answer(int(found.pop(":status")), found, content)
