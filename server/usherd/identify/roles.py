"""Finds the named roles that a token holds."""

from __future__ import annotations

from collections.abc import Sequence

from usherd.claim_paths import read
from usherd.domain import PrincipalKind, VerifiedClaims
from usherd.errors import Refusal
from usherd.globs import fits_any
from usherd.identify.words import many, spaced
from usherd.policy import IssuerPolicy, Role


def roles_held(
    claims: VerifiedClaims, issuer: IssuerPolicy, kind: PrincipalKind, roles: Sequence[Role]
) -> tuple[int, ...]:
    """The places in `roles` of those that the token holds: its issuer's, for its kind, with every condition met.

    Raises Refusal(CLAIM_INVALID) when a claim that a condition reads is neither a text nor a list of texts: a role
    may also deny, so a claim that cannot be read must not pass for one that is absent.
    """
    allowed = issuer.may_grant.roles
    return tuple(
        place
        for place, role in enumerate(roles)
        if role.issuer == issuer.name
        and kind in role.kinds
        and (allowed is None or role.name in allowed)
        and all(_met(claims, issuer, condition) for condition in role.when)
    )


def roles_of_other_kinds(
    claims: VerifiedClaims, issuer: IssuerPolicy, kind: PrincipalKind, roles: Sequence[Role]
) -> tuple[str, ...]:
    """The names of those whose every condition the token meets, and which are not for its kind. For explanations: a
    claim that cannot be read meets none of these, and refuses nothing."""
    return tuple(
        role.name
        for role in roles
        if role.issuer == issuer.name and kind not in role.kinds and _meets(claims, issuer, role)
    )


def _meets(claims: VerifiedClaims, issuer: IssuerPolicy, role: Role) -> bool:
    try:
        return all(_met(claims, issuer, condition) for condition in role.when)
    except Refusal:
        return False


def _met(
    claims: VerifiedClaims, issuer: IssuerPolicy, condition: tuple[str, tuple[str | int, ...], tuple[str, ...]]
) -> bool:
    _, path, patterns = condition
    value = read(claims, path)
    if isinstance(value, bool):
        # Written out or not at all: `*` means any text, and `false` is none.
        return ("true" if value else "false") in patterns
    values = spaced(claims, path) if path in issuer.claims.scopes else many(claims, path)
    return any(fits_any(item, patterns) for item in values)
