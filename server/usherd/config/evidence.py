"""Says of texts whether they can be what a caller shows, or may do."""

from __future__ import annotations

import re

from usherd import certificate_names
from usherd.callers import OWN, RPCS, rpc_entries, rpc_names
from usherd.config.problems import Unusable, did_you_mean, one_of, quoted


def check_spiffe(value: str) -> None:
    """A pattern of SPIFFE IDs. Raises Unusable."""
    if certificate_names.spiffe_pattern(value) is None:
        raise Unusable(
            f"{quoted(value)} is no SPIFFE ID; expected spiffe://domain/path, the domain in lower case, with * for a"
            " whole segment of the path; at its end for all that follow"
        )


def check_host(value: str) -> None:
    """A host name. Raises Unusable."""
    if certificate_names.host_pattern(value) is None:
        raise Unusable(f"{quoted(value)} is no host name; expected one as gateway.example.com or *.example.com")


def check_email(value: str) -> None:
    """An e-mail address. Raises Unusable."""
    if certificate_names.email_pattern(value) is None:
        raise Unusable(f"{quoted(value)} is no address; expected one as gateway@example.com or *@example.com")


def check_network(value: str) -> None:
    """An IP address or network. Raises Unusable."""
    if certificate_names.network(value) is None:
        raise Unusable(f"{quoted(value)} is no address; expected one as 10.0.0.7, or a network as 10.0.0.0/24")


def check_fingerprint(value: str) -> None:
    """A SHA-256 of a certificate. Raises Unusable."""
    if re.fullmatch(r"[0-9A-Fa-f]{64}|(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}", value) is None:
        raise Unusable(
            "is no fingerprint; expected the SHA-256 of the certificate, 64 hexadecimal digits, with or without colons"
            " (openssl x509 -noout -fingerprint -sha256)"
        )


def check_rpc(value: str) -> None:
    """A service and a method, or all of a service. Raises Unusable."""
    if not rpc_names(value):
        raise Unusable(f"{quoted(value)} is no RPC{did_you_mean(value, rpc_entries())}; expected {_expected(value)}")


def _expected(value: str) -> str:
    """The methods of the service that is named, or else the services: all methods of all would be a page."""
    named = value.rpartition("/")[0]
    for service, methods in RPCS.items():
        if named in (service, service.removeprefix(OWN)):
            return f"{service.removeprefix(OWN)}/({'|'.join(('*', *methods))})"
    return f"{one_of([f'{service.removeprefix(OWN)}/*' for service in RPCS])}, or one method instead of the star"
