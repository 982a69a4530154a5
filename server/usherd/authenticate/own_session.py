"""Verifies sessions of usherd's own making: by its own keys alone, which in turn verify nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import MappingProxyType

from usherd.authenticate import signature
from usherd.authenticate.cached_token import CachedToken
from usherd.authenticate.claims import Validity, numeric_date
from usherd.authenticate.compact import Compact
from usherd.authenticate.signing_key import ALGORITHM
from usherd.authenticate.token_id import TokenIds
from usherd.domain import SESSION_ISSUER, VerificationKey, VerifiedClaims, VerifiedToken
from usherd.errors import Refusal, SessionsUnavailable
from usherd.policy import OwnSessionRules
from usherd.ports import Keys
from usherd.reasons import Reason
from usherd.sessions import SESSION_TYPE

CLOCK_DIFFERENCE = 30.0
"""Seconds that the clock of the replica that made a session may be ahead."""


class OwnSessionVerifier:
    """Verifies tokens that say they are of usherd's own issuing."""

    def __init__(self, rules: OwnSessionRules, keys: Keys, store_key: bytes | None = None) -> None:
        """`store_key` as `TokenIds` takes it."""
        self._rules = rules
        self._keys = keys
        self._ids = TokenIds(rules.digest, store_key)

    def says_own(self, claims: Mapping[str, object]) -> bool:
        """Whether unverified claims say so. Then the token is tried against nobody else's keys."""
        return claims.get("iss") == self._rules.issuer

    async def verify(self, compact: Compact, now: float, patience: float) -> CachedToken:
        """The verified session, apart from whether it was revoked.

        Raises Refusal: TOKEN_EXPIRED if that is all that is wrong, or SESSION_INVALID; SessionsUnavailable when keys
        may be missing.
        """
        header, claims = compact.header, compact.claims
        if header.algorithm != ALGORITHM or header.type != SESSION_TYPE or header.kid is None:
            raise Refusal(Reason.SESSION_INVALID)
        key = await self._key(header.kid, patience)
        if key is None:
            raise Refusal(Reason.SESSION_INVALID, "no key of usherd's own has that id")
        try:
            signature.verify(key, header.algorithm, compact.signing_input, compact.signature)
        except Refusal:
            raise Refusal(Reason.SESSION_INVALID) from None
        if claims.get("aud") != self._rules.audience:
            raise Refusal(Reason.SESSION_INVALID, "the session is for another audience")
        validity = _validity(claims, now)
        if not all(isinstance(claims.get(name), str) and claims[name] for name in ("jti", "user_id")):
            raise Refusal(Reason.SESSION_INVALID, "the session has no id, or no user")
        token = VerifiedToken(
            issuer=SESSION_ISSUER,
            iss=self._rules.issuer,
            claims=VerifiedClaims(MappingProxyType(dict(claims))),
            token_id=self._ids.of(compact.signing_input),
            key=key,
            expires_at=validity.expires_at,
            not_before=validity.not_before,
            leeway=0.0,
        )
        return CachedToken(token, validity, names_key=True)

    async def _key(self, kid: str, patience: float) -> VerificationKey | None:
        with contextlib.suppress(SessionsUnavailable):
            if (key := self._keys.find(SESSION_ISSUER, kid)) is not None:
                return key
        return await self._keys.find_fresh(SESSION_ISSUER, kid, patience)


def _validity(claims: Mapping[str, object], now: float) -> Validity:
    try:
        expires, issued = numeric_date(claims, "exp"), numeric_date(claims, "iat")
    except Refusal:
        expires = issued = None
    if expires is None or issued is None:
        raise Refusal(Reason.SESSION_INVALID, "the session's dates are missing or invalid")
    if now >= expires:
        raise Refusal(Reason.TOKEN_EXPIRED)
    valid_from = issued - CLOCK_DIFFERENCE
    if now < valid_from:
        raise Refusal(Reason.SESSION_INVALID, "the session is from the future")
    return Validity(expires_at=expires, not_before=issued, valid_from=valid_from, valid_until=expires)
