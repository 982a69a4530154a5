"""Tells where a server may be reached without TLS: on this machine only, unless somebody said otherwise."""

from __future__ import annotations

import ipaddress
import socket

UNIX = "unix:"


class AddressUnusable(Exception):
    """A server cannot be where it was told to be. The setting at fault is `server.address`."""

    setting = "server.address"

    def __init__(self, problem: str) -> None:
        super().__init__(f"{self.setting}: {problem}")


def is_local(address: str) -> bool:
    """Whether only this machine can reach `address` ("host:port", "[v6]:port" or "unix:path").

    Raises AddressUnusable for anything else. A name other than `localhost` is never local: what it means is up to a
    resolver.
    """
    if address.startswith(UNIX):
        if not address.removeprefix(UNIX):
            raise AddressUnusable("expected a path after unix:")
        return True
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise AddressUnusable("expected host:port, [v6]:port or unix:path")
    if host == "localhost":
        return True
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressUnusable("expected brackets around an IPv6 address")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
