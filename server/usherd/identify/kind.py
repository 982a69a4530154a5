"""Tells a service's token from a person's: their grants never mix."""

from __future__ import annotations

from usherd.claim_paths import ABSENT, read
from usherd.domain import PrincipalKind, VerifiedClaims
from usherd.globs import fits_any
from usherd.policy import IssuerPolicy


def kind_of(claims: VerifiedClaims, issuer: IssuerPolicy, client: str, scopes: tuple[str, ...]) -> PrincipalKind:
    """SERVICE when the token was issued to an application for itself, else USER.

    With `service_when` in the policy, all its conditions must hold. Without it, the shapes that providers use for
    client credentials (RFC 6749, section 4.4) decide: Entra's `idtyp: app`, Auth0's `gty: client-credentials`, a
    subject that is the client itself (RFC 9068, section 2.2), and Entra's app-only tokens without `idtyp`, whose
    `oid` equals `sub` and which carry no scope.
    """
    if issuer.service_when is not None:
        met = all(_holds(read(claims, path), patterns) for path, patterns in issuer.service_when)
        return PrincipalKind.SERVICE if met else PrincipalKind.USER
    subject = claims.get("sub")
    if "idtyp" in claims:
        return PrincipalKind.SERVICE if claims["idtyp"] == "app" else PrincipalKind.USER
    if claims.get("gty") == "client-credentials":
        return PrincipalKind.SERVICE
    if not client:
        return PrincipalKind.USER
    if subject in (client, f"{client}@clients"):
        return PrincipalKind.SERVICE
    if not scopes and subject is not None and subject == claims.get("oid"):
        return PrincipalKind.SERVICE
    return PrincipalKind.USER


def _holds(value: object, patterns: tuple[str, ...]) -> bool:
    if value is ABSENT:
        return False
    values = value if isinstance(value, list) else [value]
    return any(isinstance(item, str) and fits_any(item, patterns) for item in values)
