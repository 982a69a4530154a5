"""Verifies sessions of the user interface in LiteLLM's form: HS256 over the gateway's master key.

A token that says it is one is never tried against an identity provider, whatever becomes of it here.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from types import MappingProxyType

from usherd.authenticate.cached_token import CachedToken
from usherd.authenticate.claims import Validity, numeric_date
from usherd.authenticate.compact import Compact
from usherd.authenticate.token_id import TokenIds
from usherd.domain import SESSION_ISSUER, VerifiedClaims, VerifiedToken
from usherd.errors import Refusal
from usherd.policy import SessionRules
from usherd.reasons import Reason

SESSION_ISS = "litellm-proxy"
SESSION_AUDIENCE = "litellm-ui"
ALGORITHM = "HS256"
CLOCK_DIFFERENCE = 30.0
"""Seconds that the minting gateway's clock may be ahead when the lifetime is counted from now."""


def says_session(claims: Mapping[str, object]) -> bool:
    """Whether unverified claims say that the token is a session: both values are exactly these strings."""
    return claims.get("iss") == SESSION_ISS and claims.get("aud") == SESSION_AUDIENCE


class SessionVerifier:
    """Verifies tokens that say they are sessions."""

    def __init__(self, rules: SessionRules, store_key: bytes | None = None) -> None:
        """`store_key` as `TokenIds` takes it."""
        if not rules.secret:
            raise ValueError("a session secret must not be empty")
        self._rules = rules
        self._ids = TokenIds(rules.digest, store_key)

    def verify(self, compact: Compact, now: float) -> CachedToken:
        """The verified session. Raises Refusal: TOKEN_EXPIRED if that is all that is wrong, or SESSION_INVALID."""
        if compact.header.algorithm != ALGORITHM or (
            compact.header.type is not None and compact.header.type.lower() != "jwt"
        ):
            raise Refusal(Reason.SESSION_INVALID)
        expected = hmac.digest(self._rules.secret, compact.signing_input, "sha256")
        if not hmac.compare_digest(expected, compact.signature):
            raise Refusal(Reason.SESSION_INVALID)
        validity = self._validity(compact.claims, now)
        token = VerifiedToken(
            issuer=SESSION_ISSUER,
            iss=SESSION_ISS,
            claims=VerifiedClaims(MappingProxyType(dict(compact.claims))),
            token_id=self._ids.of(compact.signing_input),
            key=None,
            expires_at=validity.expires_at,
            not_before=validity.not_before,
            leeway=0.0,
        )
        return CachedToken(token, validity, names_key=False)

    def _validity(self, claims: Mapping[str, object], now: float) -> Validity:
        try:
            expires = numeric_date(claims, "exp")
            not_before = max(numeric_date(claims, "nbf") or 0.0, numeric_date(claims, "iat") or 0.0)
        except Refusal:
            expires, not_before = None, 0.0
        if expires is None:
            raise Refusal(Reason.SESSION_INVALID, "the session's dates are missing or invalid")
        # LiteLLM's sessions say when they end, and not when they began.
        valid_from = max(not_before, expires - self._rules.max_lifetime - CLOCK_DIFFERENCE)
        if now >= expires:
            raise Refusal(Reason.TOKEN_EXPIRED)
        if now < valid_from:
            raise Refusal(Reason.SESSION_INVALID, "the session is from the future, or lives too long")
        return Validity(expires_at=expires, not_before=not_before, valid_from=valid_from, valid_until=expires)
