"""Says whom a token is about, in the words by which tokens of a subject are revoked.

One place for those who find a token on the list of revoked ones, and for those who must hear when it gets there.
"""

from __future__ import annotations

from collections.abc import Iterator

from usherd.claim_paths import read
from usherd.domain import SESSION_ISSUER, VerifiedToken
from usherd.policy import ClaimPath, ClaimPaths, Policy

_SUBJECT: ClaimPath = ("sub",)
_SESSION_USER: ClaimPath = ("user_id",)


class Subjects:
    """The subjects of tokens under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._paths = {
            issuer.name: tuple(dict.fromkeys((_SUBJECT, *_user_paths(policy, issuer.claims))))
            for issuer in policy.issuers
        }
        self._sessions: list[tuple[str, tuple[ClaimPath, ...]]] = [(SESSION_ISSUER, (_SUBJECT, _SESSION_USER))]
        if policy.options.session_identity == "claims" and policy.issuers:
            # Then the directory knows who holds a session as it knows the first issuer's users.
            first = policy.issuers[0].name
            self._sessions.append((first, self._paths[first]))

    def of(self, token: VerifiedToken) -> Iterator[tuple[str, str]]:
        """Each as (issuer, subject): by `sub`, and by whatever the user's id is taken from."""
        issuer = token.issuer
        named = self._sessions if issuer == SESSION_ISSUER else ((issuer, self._paths.get(issuer, (_SUBJECT,))),)
        for name, paths in named:
            for path in paths:
                subject = read(token.claims, path)
                if isinstance(subject, str):
                    yield name, subject


def _user_paths(policy: Policy, words: ClaimPaths) -> Iterator[ClaimPath]:
    """Wherever `identify/profile.py` may take the user's id from."""
    by_email = words.email if policy.options.email_as_id else None
    yield from (each for each in (words.user, words.object, by_email) if each is not None)
