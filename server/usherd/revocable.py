"""What can be revoked under a policy, and how long a revocation has to be kept so that it outlives what it revokes."""

from __future__ import annotations

import math
from collections.abc import Collection

from usherd.changes import Lookup, Sought
from usherd.domain import SESSION_ISSUER, VerifiedToken
from usherd.policy import IssuerPolicy, Policy

LEAST = 90_000.0
"""Seconds: the largest `token.max_lifetime` that can be configured, but for none at all. A reload may bring it, and
what was revoked must not come back then."""
MARGIN = 300.0
"""Seconds: the largest leeway that can be configured, for the same reason."""


class Revocable:
    """The issuers of one policy, and their tokens' lifetimes."""

    def __init__(self, policy: Policy) -> None:
        self._leeways = {issuer.name: issuer.token.leeway for issuer in policy.issuers}
        self._lifetimes = {issuer.name: _longest(issuer) for issuer in policy.issuers}
        sessions = [each.max_lifetime for each in (policy.session,) if each is not None]
        sessions += [each.lifetime for each in (policy.own_sessions,) if each is not None]
        if sessions:
            self._leeways[SESSION_ISSUER] = 0.0
            self._lifetimes[SESSION_ISSUER] = max(sessions)

    @property
    def issuers(self) -> Collection[str]:
        """The names of issuers whose tokens can be revoked; among them that of sessions, if there are any."""
        return self._lifetimes.keys()

    def latest(self, issuer: str, now: float) -> float:
        """The latest moment before which its tokens can be revoked."""
        return now + self._leeways[issuer]

    def kept_until(self, which: Lookup, moment: float) -> float:
        """When no token of that kind which was issued before `moment` can be valid any more; infinite: never.

        A token that says not when it was issued, and expires later than that, is not valid now; it would be at the end
        of its time, and whoever fears one has the revocation kept for longer.
        """
        if which.sought is Sought.TOKEN:
            # An id says no issuer.
            lifetime = max(self._lifetimes.values(), default=LEAST)
        else:
            lifetime = self._lifetimes[which.key[0]]
        return moment + max(lifetime, LEAST) + MARGIN

    def end_of(self, token: VerifiedToken, now: float) -> float:
        """When this token can be valid no more; infinite: it says no end."""
        expires = token.claims.get("exp")
        if isinstance(expires, (int, float)) and not isinstance(expires, bool):
            return expires + MARGIN
        return self.kept_until(Lookup(Sought.ISSUER, (token.issuer,)), now)


def _longest(issuer: IssuerPolicy) -> float:
    if issuer.introspection is not None and "exp" in issuer.introspection.may_lack:
        # What its issuer calls active is valid, however old it is.
        return math.inf
    return math.inf if issuer.token.max_lifetime is None else issuer.token.max_lifetime
