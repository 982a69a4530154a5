"""What gRPC's core is told: every limit that must hold before a handler runs."""

from __future__ import annotations

from typing import NamedTuple

from usherd.rpc.answers import MAX_ANSWER
from usherd.rpc.limits import Limits


class Option(NamedTuple):
    """One option of the server, and why it has its value."""

    name: str
    value: int
    why: str


MAX_REQUEST = 256 * 1024
"""Bytes of the largest message that methods of our own take (the contract's receive limit)."""


def options(limits: Limits, largest: int = MAX_REQUEST) -> tuple[Option, ...]:
    """Every option of a server with these limits, which takes messages of `largest` bytes."""
    return (
        Option("grpc.max_receive_message_length", largest, "the contract's limit; it holds after decompression too"),
        Option("grpc.max_send_message_length", MAX_ANSWER, "what clients take unless told otherwise"),
        Option("grpc.max_metadata_size", 8192, "tokens travel in messages; metadata above this may be refused"),
        Option("grpc.absolute_max_metadata_size", 16384, "metadata above this is always refused"),
        Option("grpc.max_concurrent_streams", limits.streams, "bounds a peer, whose client then waits by itself"),
        # It would count a stream until Python is done with it, a moment longer than the client does, and refuse calls
        # of clients that keep to the number above. Whoever resets streams at once meets the bounds below.
        Option("grpc.http.overload_protection", 0, "calls of those who keep to the rules are not refused"),
        # One number: between two, calls would be refused at random. What Python refuses costs nearly as much as what it
        # serves; only what the core refuses makes room.
        Option("grpc.server.max_pending_requests", limits.backlog, "what waits is not too late when served"),
        Option("grpc.server.max_pending_requests_hard_limit", limits.backlog, "what waits takes memory"),
        Option("grpc.compression_enabled_algorithms_bitset", 1, "identity only: no decompression bombs"),
        Option("grpc.so_reuseport", 0, "a second process must not get a share of the questions"),
        Option("grpc.server_handshake_timeout_ms", _ms(limits.handshake), "silent connections end"),
        Option("grpc.max_allowed_incoming_connections", limits.connections, "a budget of file descriptors"),
        Option("grpc.max_connection_idle_ms", _ms(limits.connection_idle), "connections without a call end"),
        # The core itself spreads the age by a tenth either way, so that not all clients come back at once.
        Option(
            "grpc.max_connection_age_ms", _ms(limits.connection_age), "the only end of a request never sent in full"
        ),
        Option("grpc.max_connection_age_grace_ms", _ms(limits.connection_grace), "calls in flight may finish"),
        Option("grpc.keepalive_time_ms", 60_000, "dead peers are noticed"),
        Option("grpc.keepalive_timeout_ms", 20_000, "dead peers are noticed"),
        # The one above ends nothing by itself (grpc/grpc#39239); without this one it takes a minute.
        Option("grpc.http2.ping_timeout_ms", 20_000, "dead peers are noticed"),
        Option("grpc.keepalive_permit_without_calls", 0, "idle connections are not kept alive"),
        Option("grpc.http2.max_ping_strikes", 2, "floods of pings end the connection"),
        Option("grpc.http2.min_ping_interval_without_data_ms", 30_000, "floods of pings end the connection"),
        Option("grpc.enable_channelz", 0, "no view of other callers' connections"),
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


MAXIMUM_CONCURRENT_RPCS = 32_768
"""A backstop for memory only. A call counts from its headers on, so one peer could hold every place without sending
a question; a small number would lock everybody else out. Work is bounded by `limits.Gate`."""


def channel_options(limits: Limits, largest: int = MAX_REQUEST, **changed: int) -> list[tuple[str, int]]:
    """The options as grpc takes them; `changed` has other values by the last part of the name."""
    values = {option.name: option.value for option in options(limits, largest)}
    for name, value in changed.items():
        values[f"grpc.{name}"] = value
    return list(values.items())
