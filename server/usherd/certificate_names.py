"""Says of the names in a certificate whether they are those that a configuration means: whole names, never parts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_SPIFFE = "spiffe://"
_MAX_SPIFFE = 2048
"""Bytes of a SPIFFE ID (SPIFFE-ID, section 2.3)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a client's certificate says, which the transport has verified."""

    fingerprint: str
    """SHA-256 of the whole certificate (DER), 64 lower-case hexadecimal digits."""
    valid_until: float
    """Seconds since the epoch."""
    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    spiffe_id: tuple[str, ...] | None = None
    """As `spiffe_id` gives it."""


def spiffe_id(uris: Sequence[str], *, is_authority: bool) -> tuple[str, ...] | None:
    """Trust domain and segments of the one URI of a certificate, if there is just one and it is a SPIFFE ID.

    An authority's is nobody's who calls (X509-SVID, section 4.1).
    """
    return spiffe_parts(uris[0]) if len(uris) == 1 and not is_authority else None


def spiffe_parts(text: str) -> tuple[str, ...] | None:
    """Trust domain and segments of the path of a SPIFFE ID; None for anything else.

    The specification's one normal form only: scheme and trust domain in lower case; no percent-encoding, port, query,
    empty segment, dot segment or slash at the end. What is written otherwise is no other way to write the same ID.
    """
    if not text.startswith(_SPIFFE) or len(text) > _MAX_SPIFFE:
        return None
    domain, *segments = text.removeprefix(_SPIFFE).split("/")
    if _DOMAIN.fullmatch(domain) is None:
        return None
    if any(_SEGMENT.fullmatch(each) is None or each in (".", "..") for each in segments):
        return None
    return domain, *segments


def spiffe_pattern(text: str) -> tuple[str, ...] | None:
    """As `spiffe_parts`, with segments that may be `*`; None for what is no such pattern."""
    plain = "/".join("any" if each == "*" and index > 2 else each for index, each in enumerate(text.split("/")))
    return None if spiffe_parts(plain) is None else tuple(text.removeprefix(_SPIFFE).split("/"))


def spiffe_matches(pattern: Sequence[str], found: Sequence[str] | None) -> bool:
    """Whether an ID is one of the pattern: `*` is any one segment, and at the end one or more."""
    if found is None or len(found) < len(pattern):
        return False
    if len(found) > len(pattern) and pattern[-1] != "*":
        return False
    return all(wanted in ("*", each) for wanted, each in zip(pattern, found, strict=False))


def host_pattern(text: str) -> str | None:
    """A host name in lower case, whose first label may be `*`; None for anything else."""
    labels = text.split(".")
    rest = labels[1:] if labels[0] == "*" and len(labels) > 2 else labels
    if len(text) > 253 or any(_LABEL.fullmatch(each) is None for each in rest):
        return None
    return text.lower()


def host_matches(pattern: str, found: str) -> bool:
    """Whether a host name is that of the pattern; `*` is any one label. A name that is itself a pattern is none."""
    name = host_pattern(found)
    if name is None or name.startswith("*"):
        return False
    return name == pattern or (pattern.startswith("*.") and name.partition(".")[2] == pattern[2:])


def email_pattern(text: str) -> str | None:
    """An address with its domain in lower case; `*` is any local part. None for anything else."""
    local, mark, domain = text.rpartition("@")
    if not mark or not local or not text.isascii() or not text.isprintable() or {"@", " "} & set(local):
        return None
    if "*" in local and local != "*":
        return None
    host = host_pattern(domain)
    return None if host is None or host.startswith("*") else f"{local}@{host}"


def email_matches(pattern: str, found: str) -> bool:
    """Whether an address is that of the pattern. Local parts are compared letter by letter."""
    address = email_pattern(found)
    if address is None or address.startswith("*@"):
        return False
    return address == pattern or (pattern.startswith("*@") and address.rpartition("@")[2] == pattern[2:])


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network(text: str) -> Network | None:
    """An address, or a network such as `10.1.0.0/16`; None for anything else."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def ip_matches(pattern: Network, found: str) -> bool:
    """Whether an address is in the network."""
    try:
        return ipaddress.ip_address(found) in pattern
    except ValueError:
        return False
