"""The attacker's side of a connection: bytes go out as fast as the other side takes them."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterator

from tools.frames import PREFACE, settings


class Gone(Exception):
    """The server has hung up."""


class Peer:
    """One connection to the daemon."""

    def __init__(self, port: int, *, tls: bool = False, greeting: bytes | None = None, patience: float = 1.0) -> None:
        self.streams: Iterator[int] = itertools.count(1, 2)
        """Numbers for new streams."""
        self.begun = False
        """Whether what comes once on a connection was sent."""
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            self._socket = context.wrap_socket(self._socket)
        if greeting is not None:
            self.send(PREFACE + greeting)

    def send(self, data: bytes) -> None:
        """Raises Gone."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Gone from error

    def drain(self) -> int:
        """Reads away what is there, without waiting; how much that was. Raises Gone."""
        self._socket.setblocking(False)
        read = 0
        try:
            while data := self._socket.recv(1 << 16):
                read += len(data)
            raise Gone
        except (BlockingIOError, ssl.SSLWantReadError):
            return read
        except OSError as error:
            raise Gone from error
        finally:
            self._socket.settimeout(1.0)

    def closed(self) -> bool:
        """Whether the server has hung up."""
        try:
            self.drain()
        except Gone:
            return True
        return False

    def close(self) -> None:
        """Hangs up."""
        with contextlib.suppress(OSError):
            self._socket.close()


def again(port: int, until: float, once: Callable[[Peer], None], greeting: bytes | None = None) -> dict[str, int]:
    """Does `once` again and again on one connection, and on a new one whenever the server hangs up, until then."""
    count = {"rounds": 0, "hung up": 0, "refused": 0}
    while time.monotonic() < until:
        try:
            peer = Peer(port, greeting=settings() if greeting is None else greeting)
        except (OSError, Gone):
            count["refused"] += 1
            time.sleep(0.05)
            continue
        try:
            while time.monotonic() < until:
                once(peer)
                count["rounds"] += 1
        except Gone:
            count["hung up"] += 1
            time.sleep(0.01)
        finally:
            peer.close()
    return count
