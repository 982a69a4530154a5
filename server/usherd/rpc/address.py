"""Addresses of a server: their forms, whether other machines reach them, and whether anybody else is there."""

from __future__ import annotations

import errno
import ipaddress
import socket

UNIX = "unix:"


class AddressUnusable(Exception):
    """A server cannot be where it was told to be."""

    def __init__(self, problem: str, setting: str = "server.address") -> None:
        """`setting` is the one at fault."""
        super().__init__(f"{setting}: {problem}")
        self.setting = setting


def is_local(address: str) -> bool:
    """Whether only this machine can reach `address` ("host:port", "[v6]:port" or "unix:path").

    Raises AddressUnusable for anything else. A name other than `localhost` is never local: what it means is up to a
    resolver.
    """
    if address.startswith(UNIX):
        if not address.removeprefix(UNIX):
            raise AddressUnusable("expected a path after unix:")
        return True
    host, _ = host_and_port(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_and_port(address: str, setting: str = "server.address") -> tuple[str, int]:
    """The two of "host:port" or "[v6]:port", without the brackets. Raises AddressUnusable, which names the setting."""
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535 or address.startswith(UNIX):
        expected = "host:port, [v6]:port or unix:path" if setting == "server.address" else "host:port or [v6]:port"
        raise AddressUnusable(f"expected {expected}", setting)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressUnusable("expected brackets around an IPv6 address", setting)
    return host, int(port)


def is_taken(address: str) -> bool:
    """Whether somebody listens on that `unix:` address. gRPC would silently take the path away from them."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address.removeprefix(UNIX).removeprefix("//"))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as error:
            raise AddressUnusable("the socket's path cannot be used") from error
    return True


_REFUSED = {
    errno.EADDRINUSE: "it is taken, somebody else listens there",
    errno.EADDRNOTAVAIL: "it is not of this machine",
    errno.EACCES: "this user may not listen there",
}


def check_free(address: str) -> None:
    """Raises AddressUnusable where nobody can listen now, and says why. Names are left to gRPC to look up."""
    if address.startswith(UNIX):
        if is_taken(address):
            raise AddressUnusable("somebody else listens there")
        return
    host, port = host_and_port(address)
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As gRPC does: what only a connection that has ended still holds is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in _REFUSED:
                raise AddressUnusable(f"cannot listen: {_REFUSED[error.errno]}; expected another address") from error
