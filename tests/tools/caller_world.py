"""Callers with real certificates and credentials, and a server that tells them apart."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from cryptography import x509

from tools.certificates import Authority
from usherd.callers import RPCS, CallerRule, credential_digest, rpc_names
from usherd.rpc.tls import Tls

ALL = frozenset().union(*(rpc_names(f"{service}/*") for service in RPCS))
ASK = rpc_names("AuthorizationService/*")
CREDENTIAL = "f1e2d3c4b5a6978812345678abcdef90"
OTHER = "00112233445566778899aabbccddeeff"


def rule(name: str = "edge", *, credential: str | Sequence[str] = (), **more: object) -> CallerRule:
    """A caller with all rights unless told otherwise."""
    given = [credential] if isinstance(credential, str) else credential
    rights: dict[str, object] = {"rpcs": ALL}
    return CallerRule(name=name, credentials=tuple(map(credential_digest, given)), **(rights | more))  # type: ignore[arg-type]


def names(values: Mapping[str, Sequence[str]]) -> list[x509.GeneralName]:
    """Alternative names of a certificate, by kind; of each the text goes in as it is."""
    kinds = {"uri": x509.UniformResourceIdentifier, "dns": x509.DNSName, "email": x509.RFC822Name}
    found: list[x509.GeneralName] = []
    for kind, texts in values.items():
        for text in texts:
            found.append(
                x509.IPAddress(ipaddress.ip_address(text))
                if kind == "ip"
                else kinds[kind]._init_without_validation(text)
            )
    return found


def server_files(authority: Authority, folder: Path, clients: bytes | None = None) -> Tls:
    """The files of a server for `localhost`, which takes the certificates of `clients`, or of the same authority."""
    cert, key = authority.issue("localhost")
    (folder / "cert.pem").write_bytes(cert)
    (folder / "key.pem").write_bytes(key)
    (folder / "ca.pem").write_bytes(authority.certificate if clients is None else clients)
    return Tls(cert=folder / "cert.pem", key=folder / "key.pem", client_ca=folder / "ca.pem")


@asynccontextmanager
async def secure(
    address: str, trusted: bytes, identity: tuple[bytes, bytes] | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    """A new connection to `localhost`, with a certificate and its key, or without."""
    cert, key = identity or (None, None)
    credentials = grpc.ssl_channel_credentials(trusted, key, cert)
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
    port = address.rpartition(":")[2]
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials, options=options) as channel:
        yield channel
