"""Keeps the server's certificates as fresh as the files they are in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The files of a server's TLS; each handshake uses what is in them then."""

    cert: Path
    """PEM, the server's certificate first."""
    key: Path
    """PEM, not encrypted."""
    client_ca: Path | None = None
    """PEM of the authorities whose clients are let in. None: any client is."""


_Content: TypeAlias = tuple[bytes, bytes, bytes | None]
"""What is in the certificate's, the key's and the authorities' file."""


class TlsUnusable(Exception):
    """The files of a server's TLS cannot be used. The setting at fault is `server.tls`."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"server.tls: {problem}")
        self.problem = problem
        """The same without the setting's name."""


def check_tls(tls: Tls) -> None:
    """Raises TlsUnusable for files that cannot be read, hold no certificates, or do not belong together."""
    _checked(tls, _read(tls))


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Credentials that follow the files. Raises TlsUnusable when they cannot be used now.

    Later, files that cannot be used leave what was in force.
    """
    in_force = _checked(tls, _read(tls))

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal in_force
        try:
            found = _read(tls)
            if found == in_force:
                return None
            in_force = _checked(tls, found)
        except TlsUnusable:
            return None
        return _configuration(in_force)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(in_force),
        fetch,  # type: ignore[arg-type]  # the stubs do not know that None means "as before"
        require_client_authentication=tls.client_ca is not None,
    )


def _read(tls: Tls) -> _Content:
    problem: str | None
    try:
        return tls.cert.read_bytes(), tls.key.read_bytes(), tls.client_ca.read_bytes() if tls.client_ca else None
    except OSError as error:
        problem = error.strerror
    # Outside of the handler: the library's error has the path in it.
    raise TlsUnusable(f"a file cannot be read: {problem or 'unknown error'}")


def _checked(tls: Tls, found: _Content) -> _Content:
    """The content. gRPC is not asked: what it does with files that do not fit depends on when it meets them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    problem = "cert, key: expected PEM, and the key of that certificate, not encrypted"
    try:
        # Without a password here, an encrypted key would ask for one on the terminal.
        context.load_cert_chain(tls.cert, tls.key, password="")
        problem = "client_ca: expected certificates in PEM"
        if found[2] is not None:
            _load_authorities(context, found[2])
    except (OSError, ValueError):
        pass  # raised below, without the library's words
    else:
        return found
    raise TlsUnusable(problem)


def _load_authorities(context: ssl.SSLContext, pem: bytes) -> None:
    # gRPC reads up to the first zero byte, and takes a file that is empty to there for no authority at all.
    if b"\0" in pem:
        raise ValueError
    # Words between the certificates may be in any script.
    context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))


def _configuration(found: _Content) -> grpc.ServerCertificateConfiguration:
    cert, key, client_ca = found
    return grpc.ssl_server_certificate_configuration([(key, cert)], client_ca)
