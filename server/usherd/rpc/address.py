"""Tells where a server may be reached without TLS: on this machine only, unless somebody said otherwise."""

from __future__ import annotations

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
