"""Finds which internal roles a token holds by what the provider says of its roles."""

from __future__ import annotations

from collections.abc import Sequence

from usherd.domain import VerifiedClaims
from usherd.globs import fits
from usherd.identify.words import listed
from usherd.options import Options
from usherd.policy import INTERNAL_USER, TEAM, ClaimPaths, Policy, RoleMapping, UserRules


def mapped_roles(
    claims: VerifiedClaims, words: ClaimPaths, mappings: Sequence[RoleMapping], options: Options
) -> tuple[str, ...]:
    """The internal roles that the issuer's mappings give, each once, in the order of the configuration."""
    if not mappings:
        return ()
    held = listed(claims, words.roles, options, as_set=True).texts
    return tuple(dict.fromkeys(mapping.internal_role for mapping in mappings if mapping.role in held))


def has_user_role(claims: VerifiedClaims, words: ClaimPaths, users: UserRules, options: Options) -> bool:
    """Whether one of the token's user roles is one that makes an internal user."""
    if not users.allowed_roles:
        return False
    return not users.allowed_roles.isdisjoint(listed(claims, words.user_roles, options, as_set=False).texts)


def directory_role(claims: VerifiedClaims, words: ClaimPaths, users: UserRules, options: Options) -> str:
    """The directory role that `users.role_map` gives: that of the first pattern which a role fits. Empty: none."""
    if not users.role_map:
        return ""
    held = listed(claims, words.roles, options, as_set=True).texts
    for pattern, role in users.role_map:
        if any(fits(text, pattern) for text in held):
            return role
    return ""


def object_role(policy: Policy, by_claims: Sequence[str], mapped: Sequence[str]) -> str:
    """Whose id an object id is: `TEAM`, `INTERNAL_USER`, or empty for nobody's.

    `by_claims` are the roles that the token's words give, in the order of precedence; `mapped` those of mappings.
    The reference takes the first of all; where all roles count, only a mapping tells.
    """
    if policy.options.role_precedence == "first":
        return next(iter((*by_claims, *mapped)), "")
    return TEAM if TEAM in mapped else INTERNAL_USER if INTERNAL_USER in mapped else ""
