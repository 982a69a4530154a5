"""Frames of HTTP/2 as no gRPC client would send them."""

from __future__ import annotations

import struct

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CHECK = "/usher.v1.AuthorizationService/Check"
_CANCEL = 8


def headers(method: str = CHECK, **more: str) -> list[tuple[str, str]]:
    """The headers of a call of that full name; `more` by their names with underscores."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "usher"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *((name.replace("_", "-"), value) for name, value in more.items()),
    ]


def block(fields: list[tuple[str, str]]) -> bytes:
    """The fields, packed for any connection: none enters a table."""
    encoder = Encoder()
    encoder.header_table_size = 0
    return bytes(encoder.encode(fields, huffman=False))


def message(data: bytes) -> bytes:
    """A message with its prefix."""
    return b"\x00" + struct.pack("!I", len(data)) + data


def _bytes(frame: Frame, *flags: str) -> bytes:
    for flag in flags:
        frame.flags.add(flag)
    return bytes(frame.serialize())


def settings(**values: int) -> bytes:
    """SETTINGS, with values by the names that hyperframe has for them."""
    return _bytes(SettingsFrame(0, settings={getattr(SettingsFrame, name): value for name, value in values.items()}))


def head(stream: int, packed: bytes, *flags: str) -> bytes:
    """HEADERS of a stream."""
    return _bytes(HeadersFrame(stream, data=packed), *flags)


def more_head(stream: int, packed: bytes, *flags: str) -> bytes:
    """CONTINUATION of a stream's headers."""
    return _bytes(ContinuationFrame(stream, data=packed), *flags)


def body(stream: int, data: bytes, *flags: str) -> bytes:
    """DATA of a stream."""
    return _bytes(DataFrame(stream, data=data), *flags)


def whole(stream: int, packed: bytes, data: bytes) -> bytes:
    """A call in full: these headers, and one message."""
    return head(stream, packed, "END_HEADERS") + body(stream, message(data), "END_STREAM")


def reset(stream: int) -> bytes:
    """RST_STREAM."""
    return _bytes(RstStreamFrame(stream, error_code=_CANCEL))


def ping() -> bytes:
    """PING."""
    return _bytes(PingFrame(0, opaque_data=b"12345678"))


def hpack_bomb(stream: int) -> bytes:
    """A call whose headers are 8 KB on the wire and 16 MB unpacked: one enters the table and is named 4,000 times."""
    fill = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000
    return head(stream, block(headers()) + fill + b"\xbe" * 4000, "END_HEADERS", "END_STREAM")
