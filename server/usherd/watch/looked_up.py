"""The look-ups by which a token is found to be revoked: whoever keeps its decision true has to hear of them."""

from __future__ import annotations

from collections.abc import Iterator

from usherd.changes import Lookup, Sought
from usherd.domain import VerifiedToken
from usherd.policy import Policy
from usherd.subjects import Subjects

_SESSION_ID = "session_id"


class LookedUp:
    """These look-ups under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._subjects = Subjects(policy)

    def of(self, token: VerifiedToken) -> Iterator[Lookup]:
        """What that token may be revoked by, besides its own id, which the verdict names."""
        issuer, claims = token.issuer, token.claims
        yield Lookup(Sought.ISSUER, (issuer,))
        for name, sought in (("jti", Sought.JTI), (_SESSION_ID, Sought.SESSION)):
            value = claims.get(name)
            if isinstance(value, str):
                yield Lookup(sought, (value,) if sought is Sought.SESSION else (issuer, value))
        for each in self._subjects.of(token):
            yield Lookup(Sought.SUBJECT, each)
