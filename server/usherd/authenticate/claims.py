"""Holds a genuine token's claims against its issuer's rules (RFC 7519, section 4.1; RFC 8725; RFC 9068).

The signature was verified before: only the issuer itself learns from these reasons what is wrong with its tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from usherd.claim_paths import read
from usherd.errors import Refusal
from usherd.options import STRICT, Options
from usherd.policy import ANY_ISSUER, TokenRules
from usherd.reasons import Reason

MAX_IDENTIFIER = 256
"""Characters of `sub` and `jti`."""
LATEST_DATE = 7_258_118_400
"""2200-01-01: a later date is a mistake or an attack, and no clock or timer here has to bear it."""

_OTHER_TOKENS = frozenset({"id", "refresh", "offline", "logout"})
# Keycloak names the kind of token in a claim `typ`.


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """When a token is valid: `valid_from <= now < valid_until`, both with the leeway in them."""

    expires_at: float
    """The claim `exp`; without one, `iat` and the longest lifetime, or infinite where there is no such limit."""
    not_before: float
    """The latest of `nbf` and `iat`; 0 when there is neither."""
    valid_from: float
    valid_until: float


def check_claims(
    claims: Mapping[str, object],
    header_type: str | None,
    rules: TokenRules,
    now: float,
    options: Options = STRICT,
) -> Validity:
    """Whether the claims of a genuine token pass the rules at `now`, in seconds since the epoch.

    `iss` chose the rules; only its form is looked at, and only where it may be anything. Raises Refusal with the first
    rule that is broken, in the order: type in the header, audience, dates, kind of token, proof of possession,
    identifiers, required claims.
    """
    if rules.other_kinds_refused:
        _check_header_type(header_type, rules)
    if rules.audiences is not None:
        _check_audience(claims.get("aud"), rules.audiences)
    validity = _check_dates(claims, rules, now)
    if rules.other_kinds_refused:
        _check_kind(claims, rules)
    _check_identifiers(claims, rules, shortest=0 if options.wrong_type == "reference" else 1)
    _check_required(claims, rules)
    return validity


def numeric_date(claims: Mapping[str, object], name: str) -> float | None:
    """The date in that claim as seconds since the epoch; None when there is no such claim (RFC 7519, section 2).

    Raises Refusal when it is not a number, negative, or `LATEST_DATE` or later.
    """
    if name not in claims:
        return None
    value = claims[name]
    # A bool is an int in Python, and no number in JSON.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < LATEST_DATE:
        raise Refusal(Reason.CLAIM_INVALID, f"`{name}` is not a date between 1970 and 2200")
    return float(value)


def _check_header_type(header_type: str | None, rules: TokenRules) -> None:
    # RFC 7515, section 4.1.9: media types compare without case, and may leave out `application/`.
    name = "" if header_type is None else header_type.lower().removeprefix("application/")
    if name not in rules.types or (not name and header_type is not None):
        raise Refusal(Reason.TOKEN_TYPE_NOT_ALLOWED, "the header's `typ` is not one that the issuer's rules accept")


def _check_audience(audience: object, accepted: frozenset[str]) -> None:
    audiences = audience if isinstance(audience, list) else [audience]
    # An empty text names nobody, even where a configuration has an empty one to compare it with.
    if not all(isinstance(each, str) for each in audiences) or accepted.isdisjoint(filter(None, audiences)):
        raise Refusal(Reason.AUDIENCE_MISMATCH, "`aud` has none of the issuer's `audiences`")


def _check_dates(claims: Mapping[str, object], rules: TokenRules, now: float) -> Validity:
    expires = numeric_date(claims, "exp")
    not_before = numeric_date(claims, "nbf") or 0.0
    issued = numeric_date(claims, "iat")
    latest = max(not_before, issued or 0.0)
    lifetime = math.inf if rules.max_lifetime is None else rules.max_lifetime
    if expires is None:
        if rules.require_expiry:
            raise Refusal(Reason.CLAIM_INVALID, "`exp` is missing")
        expires = math.inf if issued is None else issued + lifetime
    valid_until = expires + rules.leeway
    valid_from = latest - rules.leeway
    if now >= valid_until:
        raise Refusal(Reason.TOKEN_EXPIRED)
    if now < valid_from:
        raise Refusal(Reason.TOKEN_NOT_YET_VALID)
    if lifetime == math.inf:
        too_long = False
    elif issued is None:
        # Then the lifetime is counted from now on, and a token from further ahead is not valid yet in this sense.
        valid_from = max(valid_from, expires - lifetime)
        too_long = now < valid_from
    else:
        too_long = expires > issued + lifetime
    if too_long:
        raise Refusal(Reason.TOKEN_LIFETIME_TOO_LONG)
    return Validity(expires_at=expires, not_before=latest, valid_from=valid_from, valid_until=valid_until)


def _check_kind(claims: Mapping[str, object], rules: TokenRules) -> None:
    kind = claims.get("typ")
    if isinstance(kind, str) and kind.lower() in _OTHER_TOKENS:
        raise Refusal(Reason.TOKEN_TYPE_NOT_ALLOWED, "the claim `typ` names another kind of token")
    if not rules.forbidden_claims.isdisjoint(claims):
        raise Refusal(Reason.TOKEN_TYPE_NOT_ALLOWED, "the token has a claim that only other kinds of tokens have")
    if "cnf" in claims:
        # RFC 7800: the token is worth nothing without a proof, which the question does not carry.
        raise Refusal(Reason.PROOF_REQUIRED)


def _check_identifiers(claims: Mapping[str, object], rules: TokenRules, shortest: int) -> None:
    # Where any issuer will do, `iss` is a stranger's word like the others; elsewhere it is the one of the rules.
    for name in ("iss", "sub", "jti") if rules.issuer == ANY_ISSUER else ("sub", "jti"):
        if name in claims and not _is_identifier(claims[name], shortest):
            raise Refusal(
                Reason.CLAIM_INVALID, f"`{name}` is not a string of {shortest} to {MAX_IDENTIFIER} characters"
            )
    # RFC 8693, section 4.2, has a string; lists are common. Nothing else can be told apart from a mistake.
    if not isinstance(claims.get("scope"), (str, list, type(None))):
        raise Refusal(Reason.CLAIM_INVALID, "`scope` is neither a string nor a list")


def _is_identifier(value: object, shortest: int) -> bool:
    # Control characters split log lines and headers further on.
    return isinstance(value, str) and shortest <= len(value) <= MAX_IDENTIFIER and not any(map(_is_control, value))


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def _check_required(claims: Mapping[str, object], rules: TokenRules) -> None:
    for name, path, accepted in rules.required_claims:
        value = read(claims, path)
        values = value if isinstance(value, list) else [value]
        if not any(isinstance(each, str) and each in accepted for each in values):
            raise Refusal(Reason.CLAIM_INVALID, f"the required claim `{name}` is missing or has another value")
