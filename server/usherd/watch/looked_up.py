"""The look-ups by which a token is found to be revoked: whoever keeps its decision true has to hear of them.

They are in the words of the directory. A look-up too many costs a second look; one too few would miss a revocation. So
everything counts from which a policy may take whom a token is about.
"""

from __future__ import annotations

from collections.abc import Iterator

from usherd.changes import Lookup, Sought
from usherd.claim_paths import read
from usherd.domain import SESSION_ISSUER, VerifiedToken
from usherd.policy import ClaimPath, Policy

_ALWAYS: tuple[ClaimPath, ...] = (("sub",), ("user_id",))
_SESSION_ID = "session_id"


class LookedUp:
    """These look-ups under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._paths = {
            issuer.name: tuple(
                dict.fromkeys(
                    (
                        *_ALWAYS,
                        *(
                            path
                            for path in (issuer.claims.user, issuer.claims.object, issuer.claims.email)
                            if path is not None
                        ),
                    )
                )
            )
            for issuer in policy.issuers
        }
        # Sessions may be known as the first issuer's users are.
        self._first = policy.issuers[0].name if policy.issuers else SESSION_ISSUER

    def of(self, token: VerifiedToken) -> Iterator[Lookup]:
        """What that token may be revoked by, besides its own id, which the verdict names."""
        issuer, claims = token.issuer, token.claims
        yield Lookup(Sought.ISSUER, (issuer,))
        for name, sought in (("jti", Sought.JTI), (_SESSION_ID, Sought.SESSION)):
            value = claims.get(name)
            if isinstance(value, str):
                yield Lookup(sought, (value,) if sought is Sought.SESSION else (issuer, value))
        names = (issuer, self._first) if issuer == SESSION_ISSUER else (issuer,)
        for name in names:
            for path in self._paths.get(name, _ALWAYS):
                subject = read(claims, path)
                if isinstance(subject, str):
                    yield Lookup(Sought.SUBJECT, (name, subject))
