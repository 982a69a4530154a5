"""Reads typed words from claims: a word of the wrong type refuses the token, it is never guessed at."""

from __future__ import annotations

from collections.abc import Iterable

from usherd.claim_paths import ABSENT, read
from usherd.domain import VerifiedClaims
from usherd.errors import Refusal
from usherd.ids import well_formed_id
from usherd.policy import ClaimPath
from usherd.reasons import Reason


def one(claims: VerifiedClaims, path: ClaimPath | None) -> str:
    """The single text at a path; empty when absent, null or empty. Raises Refusal(CLAIM_INVALID) for other types."""
    if path is None:
        return ""
    value = read(claims, path)
    if value is ABSENT or value == "":
        return ""
    if not isinstance(value, str) or not well_formed_id(value):
        raise Refusal(Reason.CLAIM_INVALID)
    return value


def first(claims: VerifiedClaims, paths: Iterable[ClaimPath]) -> str:
    """The single text at the first path that has one."""
    for path in paths:
        if found := one(claims, path):
            return found
    return ""


def many(claims: VerifiedClaims, path: ClaimPath | None) -> tuple[str, ...]:
    """The texts at a path. A single text is one value, never a set of letters; absent and null are none.

    Raises Refusal(CLAIM_INVALID) for anything but texts.
    """
    if path is None:
        return ()
    value = read(claims, path)
    if value is ABSENT:
        return ()
    texts: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str) or (item and not well_formed_id(item)):
            raise Refusal(Reason.CLAIM_INVALID)
        if item:
            texts.append(item)
    return tuple(texts)


def spaced(claims: VerifiedClaims, path: ClaimPath) -> tuple[str, ...]:
    """Scopes at a path: a text is split at single spaces (RFC 6749, section 3.3), a list is taken as it is."""
    value = read(claims, path)
    if isinstance(value, str):
        # Only the space separates: a scope with a tab or newline in it is not a scope of the same name.
        return tuple(scope for scope in value.split(" ") if scope)
    return many(claims, path)
