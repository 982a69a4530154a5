"""Reads typed words from claims: a word of the wrong type refuses the token, it is never guessed at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from usherd.claim_paths import ABSENT, read, written
from usherd.domain import VerifiedClaims
from usherd.errors import Refusal
from usherd.ids import MAX_ID_CHARACTERS, well_formed_id
from usherd.options import Options
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
        raise _invalid(path, f"is not one text of 1 to {MAX_ID_CHARACTERS} printable characters")
    return value


def first(claims: VerifiedClaims, paths: Iterable[ClaimPath]) -> str:
    """The single text at the first path that has one."""
    for path in paths:
        if found := one(claims, path):
            return found
    return ""


def is_named(claims: VerifiedClaims, path: ClaimPath | None) -> bool:
    """Whether there is anything but null at a path, be it only an empty text."""
    return path is not None and read(claims, path) is not ABSENT


def is_missing(claims: VerifiedClaims, path: ClaimPath | None) -> bool:
    """Whether there is nothing at a path, not even null: to the reference, null is something."""
    if path is None:
        return True
    *way, last = path
    around = read(claims, tuple(way))
    return not (isinstance(around, Mapping) and last in around) and read(claims, path) is ABSENT


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
            raise _invalid(
                path, f"is neither a text nor a list of texts, each of 1 to {MAX_ID_CHARACTERS} printable characters"
            )
        if item:
            texts.append(item)
    return tuple(texts)


class Listed(NamedTuple):
    """What a claim that should be a list says."""

    texts: tuple[str, ...]
    named: bool
    """Whether the claim names anything at all, if only what cannot be read: that is not the same as nothing."""


NOTHING_LISTED = Listed((), False)


def listed(claims: VerifiedClaims, path: ClaimPath | None, options: Options, *, as_set: bool) -> Listed:
    """The texts of a claim that should be a list, by `claims.string_list` and `claims.wrong_type`.

    As the reference reads it, elements that are no texts are passed over and an object stands for its keys; what its
    sets (`as_set`) cannot hold, lists and objects as elements, and what cannot be walked, numbers, refuse the token.
    Raises Refusal(CLAIM_INVALID).
    """
    if path is None:
        return NOTHING_LISTED
    value = read(claims, path)
    if value is ABSENT:
        return NOTHING_LISTED
    if isinstance(value, str) and options.string_list == "no_value":
        return Listed((), value != "")
    if options.wrong_type == "deny" or isinstance(value, str):
        texts = many(claims, path)
        return Listed(texts, bool(texts))
    if not isinstance(value, (list, dict)) or (as_set and any(isinstance(item, (list, dict)) for item in value)):
        raise _invalid(path, "is neither a list nor an object, or it holds one of these")
    return Listed(tuple(item for item in value if isinstance(item, str)), bool(value))


def spaced(claims: VerifiedClaims, path: ClaimPath) -> tuple[str, ...]:
    """Scopes at a path: a text is split at single spaces (RFC 6749, section 3.3), a list is taken as it is."""
    value = read(claims, path)
    if isinstance(value, str):
        # Only the space separates: a scope with a tab or newline in it is not a scope of the same name.
        return tuple(scope for scope in value.split(" ") if scope)
    return many(claims, path)


def scopes(claims: VerifiedClaims, paths: Iterable[ClaimPath], options: Options) -> tuple[str, ...]:
    """All scopes of a token, sorted. Raises Refusal(CLAIM_INVALID) for what are no scopes.

    As the reference reads it, any white space separates, a list may hold anything, and null is no list of scopes.
    """
    if options.wrong_type == "deny":
        return tuple(sorted({scope for path in paths for scope in spaced(claims, path)}))
    found: set[str] = set()
    for path in paths:
        if is_missing(claims, path):
            continue
        value = read(claims, path)
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, list):
            found.update(item for item in value if isinstance(item, str))
        else:
            raise _invalid(path, "is neither a text nor a list")
    return tuple(sorted(found))


def _invalid(path: ClaimPath, why: str) -> Refusal:
    """Refuses a token whose claim there cannot be read. The path is the policy's, and tells nothing of the token."""
    return Refusal(Reason.CLAIM_INVALID, f"The claim {written(path)} {why}.")
