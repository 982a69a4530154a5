"""Keeps the server's certificates as fresh as the files they are in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Credentials that follow the files. Raises OSError when one cannot be read now.

    Later, files that cannot be read, or do not belong together, leave what was in force.
    """
    in_force = _read(tls)

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal in_force
        try:
            found = _read(tls)
        except OSError:
            return None
        if found == in_force:
            return None
        in_force = found
        return _configuration(found)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(in_force),
        fetch,  # type: ignore[arg-type]  # the stubs do not know that None means "as before"
        require_client_authentication=tls.client_ca is not None,
    )


def _read(tls: Tls) -> tuple[bytes, bytes, bytes | None]:
    return tls.cert.read_bytes(), tls.key.read_bytes(), tls.client_ca.read_bytes() if tls.client_ca else None


def _configuration(found: tuple[bytes, bytes, bytes | None]) -> grpc.ServerCertificateConfiguration:
    cert, key, client_ca = found
    return grpc.ssl_server_certificate_configuration([(key, cert)], client_ca)
