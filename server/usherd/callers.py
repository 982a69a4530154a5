"""Tells who calls us (a gateway, by its certificate or credential), and which RPCs that caller may use.

Whom a call is about, the holder of the token in it, is another question, and asked elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from usherd.certificate_names import (
    Certificate,
    email_matches,
    email_pattern,
    host_matches,
    host_pattern,
    ip_matches,
    network,
    spiffe_matches,
    spiffe_pattern,
)
from usherd.errors import CallerUnknown

ENVOY = "envoy.service.auth.v3.Authorization"
"""What Envoy asks; served where the configuration says so."""
DIRECTORY = "usher.v1.DirectoryService"
REVOCATION = "usher.v1.RevocationService"
SESSION = "usher.v1.SessionService"

_ROWS = ("Organization", "Team", "User", "EndUser", "Membership", "CatalogueModel")
_BLOCKED = _ROWS[:4]
_ROW_METHODS = (
    *(f"{verb}{row}" for verb in ("Get", "Create", "Update", "Delete") for row in _ROWS),
    *(f"List{row}s" for row in _ROWS),
    *(f"{verb}{row}" for verb in ("Block", "Unblock") for row in _BLOCKED),
)

RPCS = {
    "usher.v1.AuthorizationService": ("Authorize", "BatchCheck", "Check", "ListModels", "Subscribe"),
    DIRECTORY: (
        *_ROW_METHODS,
        "ApplyEdits",
        "GetUsage",
        "RecordUsage",
        "ResetUsage",
        "WatchChanges",
    ),
    REVOCATION: ("LiftRevocation", "ListRevocations", "Revoke"),
    SESSION: ("CreateSession", "CreateSessionForUser", "ListSessions", "RevokeSessions", "ValidateSession"),
    ENVOY: ("Check",),
    "grpc.health.v1.Health": ("Check", "List", "Watch"),
    "grpc.reflection.v1alpha.ServerReflection": ("ServerReflectionInfo",),
}
"""All that is served, by service: what is not here is nobody's right."""

MANAGING = frozenset(f"/{service}/{name}" for service in (DIRECTORY, REVOCATION, SESSION) for name in RPCS[service])
"""What manages what is kept, by full name: never open to callers that are not told apart, unless only this machine
reaches the server."""

OWN = "usher.v1."
"""What may be left out of names of services of our own."""

HEALTH_CHECK = "/grpc.health.v1.Health/Check"
"""What load balancers and kubelets ask, which have nothing to show."""

MAX_CREDENTIAL = 4096
"""Characters of a credential."""
MIN_CREDENTIAL = 32
"""Characters of a credential: fewer can be found by trying."""

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerRule:
    """A caller. Each kind of evidence that is not empty must be shown, and be one of those that are listed."""

    name: str
    spiffe: tuple[str, ...] = ()
    """SPIFFE IDs, with segments that may be `*` (`certificate_names.spiffe_pattern`)."""
    uris: tuple[str, ...] = ()
    """Compared whole."""
    dns: tuple[str, ...] = ()
    """Host names, of which the first label may be `*` (`certificate_names.host_pattern`)."""
    ips: tuple[str, ...] = ()
    """Addresses or networks."""
    emails: tuple[str, ...] = ()
    """Addresses, of which the local part may be `*` (`certificate_names.email_pattern`)."""
    fingerprints: frozenset[str] = frozenset()
    """As in `Certificate`."""
    credentials: tuple[bytes, ...] = field(default=(), repr=False)
    """Digests, as `credential_digest` gives them."""
    rpcs: frozenset[str] = frozenset()
    """Full names, as `/usher.v1.AuthorizationService/Check`."""
    explain: bool = False
    """Whether it may see explanations."""

    @property
    def wants_certificate(self) -> bool:
        """Whether a certificate is part of what it must show."""
        return any((self.spiffe, self.uris, self.dns, self.ips, self.emails, self.fingerprints))


class _Wanted:
    """What a caller must show of a certificate."""

    def __init__(self, rule: CallerRule) -> None:
        self.rule = rule
        # What is no pattern matches nothing.
        self._spiffe = [parts for each in rule.spiffe if (parts := spiffe_pattern(each)) is not None]
        self._dns = [host for each in rule.dns if (host := host_pattern(each)) is not None]
        self._emails = [address for each in rule.emails if (address := email_pattern(each)) is not None]
        self._ips = [found for each in rule.ips if (found := network(each)) is not None]

    def fits(self, shown: Certificate | None) -> bool:
        """Whether all of it is shown."""
        rule = self.rule
        if shown is None:
            return not rule.wants_certificate
        return all(
            (
                not rule.spiffe or any(spiffe_matches(each, shown.spiffe_id) for each in self._spiffe),
                not rule.uris or any(name in rule.uris for name in shown.uris),
                not rule.dns or any(host_matches(each, name) for each in self._dns for name in shown.dns),
                not rule.ips or any(ip_matches(each, name) for each in self._ips for name in shown.ips),
                not rule.emails or any(email_matches(each, name) for each in self._emails for name in shown.emails),
                not rule.fingerprints or shown.fingerprint in rule.fingerprints,
            )
        )


class Callers:
    """All callers. Nobody else is let in."""

    def __init__(self, rules: Sequence[CallerRule]) -> None:
        """In the order in which they are tried."""
        wanted = [_Wanted(rule) for rule in rules]
        # Who wants nothing would be anybody.
        self._by_certificate = [each for each in wanted if each.rule.wants_certificate and not each.rule.credentials]
        self._digests = [(digest, each) for each in wanted for digest in each.rule.credentials]
        self.ask_certificate = any(rule.wants_certificate for rule in rules)
        """Whether certificates have to be looked at."""
        self.ask_credential = bool(self._digests)
        """Whether credentials have to be looked at."""

    def by_certificate(self, shown: Certificate) -> CallerRule | None:
        """The first caller that such a certificate is enough for; None: it is nobody's."""
        return next((each.rule for each in self._by_certificate if each.fits(shown)), None)

    def by_credential(self, header: str, shown: Certificate | None) -> CallerRule:
        """The caller whose credential is in an `authorization` header, if the certificate fits, too.

        How long it takes tells how many credentials there are, and neither which one it was nor what is in one.
        Raises CallerUnknown.
        """
        found = _BEARER.fullmatch(header) if len(header) <= MAX_CREDENTIAL + len("Bearer ") else None
        if found is None:
            raise CallerUnknown
        digest, owner = credential_digest(found[1]), None
        for each, wanted in self._digests:
            if hmac.compare_digest(each, digest):
                owner = wanted
        if owner is None or not owner.fits(shown):
            raise CallerUnknown
        return owner.rule


def credential_digest(credential: str) -> bytes:
    """What is kept of a credential. It has no salt: a credential is no password, and too long to be guessed."""
    return hashlib.sha256(credential.encode()).digest()


def is_credential(text: str) -> bool:
    """Whether it can be sent as a bearer credential (RFC 6750, section 2.1)."""
    return len(text) <= MAX_CREDENTIAL and _BEARER.fullmatch(f"Bearer {text}") is not None


def rpc_names(entry: str) -> frozenset[str]:
    """The full names that an entry means, as `AuthorizationService/*` or `grpc.health.v1.Health/Check`; none: no such.

    Services of our own may leave out `usher.v1.`.
    """
    service, mark, method = entry.rpartition("/")
    methods = RPCS.get(service) or RPCS.get(OWN + service, ())
    full = service if service in RPCS else OWN + service
    return frozenset(f"/{full}/{each}" for each in methods if mark and method in ("*", each))


def rpc_entries() -> list[str]:
    """Every entry that means something, shortest forms, for messages."""
    return [f"{service.removeprefix(OWN)}/{each}" for service in RPCS for each in ("*", *RPCS[service])]
