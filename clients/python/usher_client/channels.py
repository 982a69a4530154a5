"""Opens channels that retry a little, follow no foreign configuration, and are never plaintext by accident."""

from __future__ import annotations

import ipaddress
import json
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
import grpc.aio

SERVICE: Final = "usher.v1.AuthorizationService"

SERVICE_CONFIG: Final[dict[str, Any]] = {
    "methodConfig": [
        {
            "name": [{"service": SERVICE}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.05s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # When more than half of a channel's recent calls fail, it stops asking twice.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}
"""The retries of every client of usherd: all waits are inside the call's deadline."""

KEEPALIVE_TIME: Final = 60_000
"""Milliseconds without a word on a connection with calls, after which a ping is sent. A server takes one each 30 s."""
KEEPALIVE_TIMEOUT: Final = 20_000
"""Milliseconds without an answer to it, or without a word that what was sent has arrived, that end the connection."""


def _options(*, proxy: bool, alone: bool) -> list[tuple[str, Any]]:
    return [
        # A peer that is gone without a word would else be asked on the same connection until TCP gives up.
        ("grpc.keepalive_time_ms", KEEPALIVE_TIME),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT),
        # The one above ends nothing by itself (grpc/grpc#39239); without this one it takes a minute.
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT),
        ("grpc.http2.max_pings_without_data", 0),  # who watches sends nothing for hours
        # Else channels with one target share a connection.
        ("grpc.use_local_subchannel_pool", 1 if alone else 0),
        # gRPC's own waits grow to two minutes, in which a gateway would refuse everybody although usherd is back.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5000),
        ("grpc.min_reconnect_backoff_ms", 5000),  # of a try, not between tries
        ("grpc.enable_retries", 1),
        ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
        # A TXT record of the target's zone would replace the configuration above.
        ("grpc.service_config_disable_resolution", 1),
        # Whoever sets http_proxy for other programs must not be handed tokens in plaintext.
        ("grpc.enable_http_proxy", 1 if proxy else 0),
    ]


def open_channel(
    target: str, credentials: grpc.ChannelCredentials | None, plaintext: bool, *, alone: bool = False
) -> grpc.Channel:
    """A channel for threads, `alone` on its connection. Raises ValueError for a plaintext target elsewhere."""
    check_target(target, credentials, plaintext)
    if credentials is None:
        return grpc.insecure_channel(target, options=_options(proxy=False, alone=alone))
    return grpc.secure_channel(target, credentials, options=_options(proxy=True, alone=alone))


def open_aio_channel(
    target: str, credentials: grpc.ChannelCredentials | None, plaintext: bool, *, alone: bool = False
) -> grpc.aio.Channel:
    """A channel for asyncio, `alone` on its connection. Raises ValueError for a plaintext target elsewhere."""
    check_target(target, credentials, plaintext)
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=_options(proxy=False, alone=alone))
    return grpc.aio.secure_channel(target, credentials, options=_options(proxy=True, alone=alone))


def check_target(target: str, credentials: grpc.ChannelCredentials | None, plaintext: bool) -> None:
    """Raises ValueError unless the target is one, and encrypted, or on this machine, or plaintext on purpose."""
    if wrong := wrong_target(target, encrypted=credentials is not None):
        raise ValueError(f"target: {wrong}")
    if credentials is not None:
        if plaintext:
            raise ValueError("plaintext: expected False where credentials are given")
        return
    if not plaintext and not stays_here(target):
        raise ValueError("credentials: required for a target that is not loopback or unix (or plaintext=True)")


def wrong_target(target: str, *, encrypted: bool) -> str:
    """What is wrong with the form of a target, and would only show in that nobody answers; empty: nothing."""
    if not target or target.lower().startswith(("http://", "https://")):
        return "expected one of gRPC, such as localhost:50051 or unix:/run/usherd.sock, and no URL of HTTP"
    if not encrypted and not all(_names_port(each) for each in _addresses(target)):
        # gRPC would take 443, where nothing is spoken without TLS.
        return "expected a port behind the host, such as localhost:50051"
    return ""


def stays_here(target: str) -> bool:
    """Whether every address of the target is surely on this machine: unix sockets, loopback, localhost."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    return all(_is_loopback(each) for each in _addresses(target))


def _addresses(target: str) -> list[str]:
    """The addresses in a target, as far as its scheme is one that has any."""
    scheme, colon, rest = target.partition(":")
    match scheme if colon else "":
        case "unix" | "unix-abstract":
            return []
        case "ipv4" | "ipv6":
            return rest.split(",")
        case "dns":
            return [rest.removeprefix("///")]
        case _:
            return [target]


def _names_port(address: str) -> bool:
    """Whether it names a port, or is none of host and port and for gRPC to make sense of."""
    if any(each in address for each in "/?#@%"):
        return True
    try:
        return urlsplit(f"//{address}").port is not None
    except ValueError:
        return True


def _is_loopback(address: str) -> bool:
    if any(each in address for each in "/?#@%"):
        return False
    try:
        host = urlsplit(f"//{address}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
