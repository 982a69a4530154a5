"""Answers "is it genuine?": the steps from a token's text to verified claims, each on one line."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from usherd.authenticate import signature
from usherd.authenticate.cached_token import CachedToken
from usherd.authenticate.claims import check_claims
from usherd.authenticate.compact import Compact, check_size, take_apart
from usherd.authenticate.digest_cache import DigestCache
from usherd.authenticate.introspected import IntrospectedTokens
from usherd.authenticate.kept_token import KeptToken, Lapse, Lapsed
from usherd.authenticate.key_ring import same_key
from usherd.authenticate.own_session import OwnSessionVerifier
from usherd.authenticate.session_token import SessionVerifier, says_session
from usherd.authenticate.token_id import TokenIds
from usherd.domain import SESSION_ISSUER, VerificationKey, VerifiedClaims, VerifiedToken
from usherd.errors import Refusal
from usherd.policy import ANY_ISSUER, IssuerPolicy, Policy
from usherd.ports import Cache, Clock, Introspection, Keys, Observer
from usherd.reasons import Reason

MAX_KEY_PATIENCE = 0.5
"""Seconds that one question waits for a refresh because its key id is unknown."""


@dataclass(frozen=True, slots=True)
class _Issuer:
    policy: IssuerPolicy
    ids: TokenIds


class Verifier:
    """Verifies tokens under one policy. The same token gets the same answer, whether it was seen before or not."""

    def __init__(
        self,
        policy: Policy,
        keys: Keys,
        clock: Clock,
        cache_size: int = 100_000,
        observer: Observer | None = None,
        introspection: Introspection | None = None,
        store_key: bytes | None = None,
    ) -> None:
        """Without `introspection`, tokens of issuers that have to be asked about them find no answer. `store_key` is
        what token ids are made with; None: there is no store."""
        self._issuers = {
            iss: _Issuer(issuer, TokenIds(issuer.digest, store_key)) for iss, issuer in policy.issuers_by_iss().items()
        }
        self._any_issuer = self._issuers.get(ANY_ISSUER)
        self._options = policy.options
        self._introspected = IntrospectedTokens(policy.issuers, introspection, clock, policy.options, store_key)
        self._any_opaque = self._introspected.any_opaque
        self._session = SessionVerifier(policy.session, store_key) if policy.session is not None else None
        own = policy.own_sessions
        self._own_sessions = OwnSessionVerifier(own, keys, store_key) if own is not None else None
        self._session_rules = (
            None if policy.session is None else policy.session.digest,
            None if own is None else own.digest,
        )
        self._digests = {issuer.name: issuer.digest for issuer in policy.issuers}
        self._max_size = policy.token_max_size
        self._keys = keys
        self._clock = clock
        self._observer = observer
        self._cache: DigestCache[CachedToken] = DigestCache(cache_size, policy.digest)

    async def verify(self, token: str, *, patience: float) -> VerifiedToken:
        """The verified token. It suspends only to wait for an unknown key, or for what its issuer says of it,
        `patience` seconds at most.

        Raises Refusal when it is not genuine, KeysUnavailable and IntrospectionUnavailable when that cannot be told.
        """
        return (await self._verify(token, patience)).token

    async def keep(self, token: str, *, patience: float) -> KeptToken:
        """As `verify`, and what it takes to find later whether the token still is genuine, without its text."""
        cached = await self._verify(token, patience)
        return KeptToken(cached, self._rules_of(cached.token))

    def check_again(self, kept: KeptToken) -> None:
        """Returns if a token that was kept under this or another policy is genuine now.

        Raises Refusal when it is not, as `verify` would of its text, KeysUnavailable as that does, and Lapsed where
        only its text or its issuer could tell.
        """
        token, validity, now = kept.token, kept.cached.validity, self._clock()
        rules = self._rules_of(token)
        if rules is None or rules != kept.rules:
            raise Lapsed(Lapse.RULES)
        session = token.issuer == SESSION_ISSUER
        named = "" if session else token.issuer
        if now >= validity.valid_until:
            if not kept.expires:
                raise Lapsed(Lapse.ISSUER)
            raise Refusal(Reason.TOKEN_EXPIRED, issuer=named)
        if now < validity.valid_from:
            raise Refusal(Reason.SESSION_INVALID if session else Reason.TOKEN_NOT_YET_VALID, issuer=named)
        if token.key is not None and not self._still_found(kept.cached, token.key):
            other = self._keys.find(token.key.issuer, token.key.kid if kept.cached.names_key else None)
            # By whatever other key it would be tried now, it was not signed with that.
            reason = Reason.UNKNOWN_KEY if other is None else Reason.SIGNATURE_INVALID
            raise Refusal(Reason.SESSION_INVALID if session else reason, issuer=named)

    def _still_found(self, cached: CachedToken, key: VerificationKey) -> bool:
        if cached.names_key:
            return self._keys.trusts(key)
        found = self._keys.find(key.issuer, None)
        return found is not None and (found is key or same_key(found, key))

    def _rules_of(self, token: VerifiedToken) -> object:
        """What the token's being genuine follows from, in this policy; None: in this one it is nobody's."""
        if token.issuer == SESSION_ISSUER:
            return (self._session_rules, "", self._options) if any(self._session_rules) else None
        digest = self._digests.get(token.issuer)
        return None if digest is None else (self._session_rules, digest, self._options)

    async def _verify(self, token: str, patience: float) -> CachedToken:
        data = check_size(token, self._max_size)
        digest = self._cache.digest(data)
        known = self._recall(digest)
        if self._observer is not None:
            self._observer.looked_up(Cache.TOKENS, found=known is not None)
        if known is not None:
            return known
        owner = self._introspected.owner(token) if self._any_opaque else None
        if owner is not None:
            verified = await self._ask(owner, token, None, patience)
        else:
            verified = await self._verify_compact(take_apart(data, self._options), token, patience)
        self._cache.put(digest, verified)
        return verified

    async def _verify_compact(self, compact: Compact, token: str, patience: float) -> CachedToken:
        if self._own_sessions is not None and self._own_sessions.says_own(compact.claims):
            return await self._own_sessions.verify(compact, self._clock(), min(patience, MAX_KEY_PATIENCE))
        if self._session is not None and says_session(compact.claims):
            return self._session.verify(compact, self._clock())
        issuer = self._issuer(compact.claims.get("iss"))
        if issuer.policy.introspection is not None:
            return await self._ask(issuer.policy, token, compact.signing_input, patience)
        return await self._verify_signed(issuer, compact, patience)

    def digest(self, token: str) -> bytes:
        """What `recall` knows the token by. Raises Refusal as `verify` for a token too large or not ASCII."""
        return self._cache.digest(check_size(token, self._max_size))

    def recall(self, digest: bytes) -> VerifiedToken | None:
        """The token of that digest, if it was verified before and still is genuine; None says nothing: ask `verify`.

        Raises KeysUnavailable as `verify`.
        """
        cached = self._recall(digest)
        return None if cached is None else cached.token

    def _recall(self, digest: bytes) -> CachedToken | None:
        cached = self._cache.get(digest)
        if cached is None:
            return None
        validity = cached.validity
        if validity.valid_from <= self._clock() < validity.valid_until and self._still_trusted(cached):
            return cached
        # The long way finds the reason, and may find a new key.
        self._cache.forget(digest)
        return None

    def _still_trusted(self, cached: CachedToken) -> bool:
        key = cached.token.key
        if key is None:
            # A session, or a token that its issuer was asked about: its dates say it all.
            return True
        if cached.names_key:
            return self._keys.trusts(key)
        return self._keys.find(key.issuer, None) is key

    async def _ask(self, issuer: IssuerPolicy, token: str, signing_input: bytes | None, patience: float) -> CachedToken:
        try:
            return await self._introspected.verify(issuer, token, signing_input, patience)
        except Refusal as refusal:
            raise Refusal(refusal.reason, refusal.note, issuer=issuer.name) from None

    async def _verify_signed(self, issuer: _Issuer, compact: Compact, patience: float) -> CachedToken:
        try:
            return await self._verify_by(issuer, compact, patience)
        except Refusal as refusal:
            # Whose rules refused is part of what the answer depends on.
            raise Refusal(refusal.reason, refusal.note, issuer=issuer.policy.name) from None

    async def _verify_by(self, issuer: _Issuer, compact: Compact, patience: float) -> CachedToken:
        rules = issuer.policy.token
        if compact.header.algorithm not in rules.algorithms:
            raise Refusal(Reason.ALGORITHM_NOT_ALLOWED)
        key = await self._key(issuer.policy.name, compact.header.kid, patience)
        signature.verify(key, compact.header.algorithm, compact.signing_input, compact.signature)
        validity = check_claims(compact.claims, compact.header.type, rules, self._clock(), self._options)
        token = VerifiedToken(
            issuer=issuer.policy.name,
            iss=_text(compact.claims.get("iss")),
            claims=VerifiedClaims(MappingProxyType(dict(compact.claims))),
            token_id=issuer.ids.of(compact.signing_input),
            key=key,
            expires_at=validity.expires_at,
            not_before=validity.not_before,
            leeway=rules.leeway,
        )
        return CachedToken(token, validity, names_key=compact.header.kid is not None)

    def _issuer(self, iss: object) -> _Issuer:
        # The unverified claim only chooses a row of a fixed table; no input or output happens for a stranger.
        issuer = self._issuers.get(iss) if isinstance(iss, str) else None
        if issuer is None:
            issuer = self._any_issuer
        if issuer is None:
            raise Refusal(Reason.ISSUER_UNKNOWN, self._unknown(iss))
        return issuer

    def _unknown(self, iss: object) -> str:
        """Why no issuer is found, for an operator: the commonest mistake has a name."""
        if not isinstance(iss, str):
            return "`iss` is missing or not a string"
        if (iss[:-1] if iss.endswith("/") else f"{iss}/") in self._issuers:
            return "`iss` differs from an issuer of the configuration by the slash at its end"
        return "`iss` is that of no issuer of the configuration"

    async def _key(self, issuer: str, kid: str | None, patience: float) -> VerificationKey:
        key = self._keys.find(issuer, kid)
        if key is None:
            key = await self._keys.find_fresh(issuer, kid, min(patience, MAX_KEY_PATIENCE))
        if key is None:
            raise Refusal(Reason.UNKNOWN_KEY)
        return key


def _text(iss: object) -> str:
    return iss if isinstance(iss, str) else ""
