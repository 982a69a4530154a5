"""Keeps a port for workers: nobody else may listen there, and each of them may.

With SO_REUSEPORT the kernel deals connections out among all who listen at a port, as long as they are of one user. A
process of the same user could take its share without a word; so one that listens already is found first.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from usherd.rpc.address import UNIX, AddressUnusable, host_and_port

_TRIES = 20
"""Ports that are tried where any free one will do, until one is free at each of the host's addresses."""
_WILD = frozenset({"0.0.0.0", "::"})  # noqa: S104 (what an operator may write)


@contextmanager
def kept(address: str, setting: str = "server.address") -> Iterator[str]:
    """Keeps the port of `host:port` until the block is left; gives the address, with the port that was really taken.

    Raises AddressUnusable, which names the setting.
    """
    if address.startswith(UNIX):
        raise AddressUnusable("a unix: socket is for one worker; expected host:port, or server.workers: 1", setting)
    host, port = host_and_port(address, setting)
    with contextlib.ExitStack() as stack:
        taken = _kept_at_all(stack, host, port, setting)
        yield f"{address.rpartition(':')[0]}:{taken}"


def _kept_at_all(stack: contextlib.ExitStack, host: str, port: int, setting: str) -> int:
    for _ in range(1 if port else _TRIES):
        taken = port
        with contextlib.ExitStack() as here:
            try:
                for family, where in _places(host, setting):
                    held = here.enter_context(_kept_at(family, where, taken))
                    taken = taken or held.getsockname()[1]
            except OSError:
                continue
            stack.push(here.pop_all())
            return taken
    raise AddressUnusable("cannot listen: it is taken, or not of this machine", setting)


def _places(host: str, setting: str) -> list[tuple[socket.AddressFamily, str]]:
    """Where servers listen for that host: a wildcard means every address, of both families where there are two."""
    if host in _WILD:
        return [(socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "0.0.0.0")]  # noqa: S104
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise AddressUnusable("cannot listen: its host has no address", setting) from None
    return list(dict.fromkeys((family, str(where[0])) for family, _, _, _, where in found))


def _kept_at(family: socket.AddressFamily, where: str, port: int) -> socket.socket:
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if where in _WILD else 1)
        # Connections that ended a moment ago are no listeners.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((where, port))
        # Taken alone, and shared from now on: between the two nobody could come in.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        held.close()
        raise
    return held
