"""Verifies tokens of issuers that are asked about them (RFC 7662): what the issuer says stands in for a signature.

Which issuer is asked follows from the token's form alone. A compact JWS is for the issuer that it names; anything else
is opaque, and for the issuer that takes opaque tokens which begin so. No token is ever shown to another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from usherd.authenticate.cached_token import CachedToken
from usherd.authenticate.claims import Validity, check_claims
from usherd.authenticate.compact import check_extent, has_form
from usherd.authenticate.token_id import TokenIds
from usherd.domain import VerifiedClaims, VerifiedToken
from usherd.errors import IntrospectionUnavailable, Refusal
from usherd.options import Options
from usherd.policy import IntrospectionRules, IssuerPolicy, TokenRules
from usherd.ports import Clock, Introspected, Introspection
from usherd.reasons import Reason

_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z")
"""RFC 6750, section 2.1: what an Authorization header can carry."""
_ACCESS_TOKENS = frozenset({"bearer", "access_token", "access"})
"""Values of `token_type` and `token_use`, lower case: refresh and ID tokens can be active, too."""
_PROVEN = frozenset({"dpop", "pop", "mac"})


class IntrospectedTokens:
    """Tokens of such issuers under one policy."""

    def __init__(
        self,
        issuers: Iterable[IssuerPolicy],
        introspection: Introspection | None,
        clock: Clock,
        options: Options,
        store_key: bytes | None = None,
    ) -> None:
        """Without `introspection`, nobody can be asked. `store_key` as `TokenIds` takes it."""
        self._introspection = introspection
        self._clock = clock
        self._options = options
        self._ids = {issuer.name: TokenIds(issuer.digest, store_key) for issuer in issuers}
        self._opaque = [
            (prefix, issuer)
            for issuer in issuers
            if issuer.introspection is not None
            for prefix in issuer.introspection.opaque_prefixes
        ]

    @property
    def any_opaque(self) -> bool:
        """Whether any issuer takes opaque tokens."""
        return bool(self._opaque)

    def owner(self, token: str) -> IssuerPolicy | None:
        """The issuer that takes this token as an opaque one; None for a compact JWS, and for what nobody takes."""
        if has_form(token) or not _B64TOKEN.match(token):
            return None
        return next((issuer for prefix, issuer in self._opaque if token.startswith(prefix)), None)

    async def verify(
        self, issuer: IssuerPolicy, token: str, signing_input: bytes | None, patience: float
    ) -> CachedToken:
        """The token, if its issuer says that it is active, and what it says passes the issuer's rules.

        `signing_input` are header and payload of a JWS, None for an opaque token. Raises Refusal, and
        IntrospectionUnavailable when nobody has said anything.
        """
        if self._introspection is None or issuer.introspection is None:
            raise IntrospectionUnavailable
        said = await self._introspection.ask(issuer.name, token, patience)
        if not said.active:
            raise Refusal(Reason.TOKEN_INACTIVE)
        validity = self._validity(said, issuer.token, issuer.introspection)
        # No opaque token begins with a colon, nor does a JWS: an id is never that of another token.
        identity = b":" + token.encode() if signing_input is None else signing_input
        verified = VerifiedToken(
            issuer=issuer.name,
            iss=issuer.token.issuer,
            claims=VerifiedClaims(MappingProxyType(dict(said.claims))),
            token_id=self._ids[issuer.name].of(identity),
            key=None,
            expires_at=validity.expires_at,
            not_before=validity.not_before,
            leeway=issuer.token.leeway,
        )
        return CachedToken(verified, validity, names_key=False)

    def _validity(self, said: Introspected, rules: TokenRules, asked: IntrospectionRules) -> Validity:
        claims = said.claims
        check_extent(claims)
        if claims.get("iss", rules.issuer) != rules.issuer:
            raise Refusal(Reason.CLAIM_INVALID, "`iss` is another issuer's")
        if rules.other_kinds_refused:
            _check_use(claims)
        found = check_claims(claims, None, _under(rules, claims, asked), self._clock(), self._options)
        # What was said counts for a while, and a token that is remembered because of it for no longer.
        return Validity(
            expires_at=min(found.expires_at, said.until),
            not_before=found.not_before,
            valid_from=max(found.valid_from, said.asked_at),
            valid_until=min(found.valid_until, said.until),
        )


def _under(rules: TokenRules, claims: Mapping[str, object], asked: IntrospectionRules) -> TokenRules:
    """The rules, without those that are about claims which the answer lacks and may lack."""
    lacking = asked.may_lack - claims.keys()
    if "aud" in lacking:
        rules = replace(rules, audiences=None)
    if "exp" in lacking:
        # Without `iat` there is nothing to count a lifetime from; the answer's own time bounds it.
        lifetime = rules.max_lifetime if "iat" in claims else None
        rules = replace(rules, require_expiry=False, max_lifetime=lifetime)
    return rules


def _check_use(claims: Mapping[str, object]) -> None:
    for name in ("token_type", "token_use"):
        use = claims.get(name, "bearer")
        word = use.lower() if isinstance(use, str) else ""
        if word in _PROVEN:
            raise Refusal(Reason.PROOF_REQUIRED)
        if word not in _ACCESS_TOKENS:
            raise Refusal(Reason.TOKEN_TYPE_NOT_ALLOWED, f"`{name}` names another kind of token")
