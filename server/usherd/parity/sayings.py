"""Finds what a token says by itself: its internal role, as LiteLLM's `get_rbac_role` names it, and its end user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from usherd.claim_paths import read
from usherd.domain import Question, VerifiedClaims, VerifiedToken
from usherd.errors import Refusal
from usherd.identify.profile import Profiler
from usherd.identify.resolve import identify
from usherd.identify.words import is_missing
from usherd.permit.internal_role import held_internal_roles
from usherd.permit.permit import Permit
from usherd.policy import ClaimPath, Policy
from usherd.ports import Facts
from usherd.reading import Reading

UNREADABLE = "error"
"""In place of a role: the claims that give one cannot be read."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one token says."""

    role: str | None = None
    """The first internal role that counts, `UNREADABLE`, or None for no role."""
    end_user: str | None = None
    """The token's own end user, whatever the question says."""
    empty: frozenset[str] = frozenset()
    """Which of `user_id`, `org_id`, `end_user_id` the token names by an empty text. To usherd that is the same as not
    at all; LiteLLM tells the two apart in what it answers."""


class Sayings:
    """Reads tokens under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._profiler = Profiler(policy)
        self._permit = Permit(policy)
        self._words = {issuer.name: issuer.claims for issuer in policy.issuers}

    def of(self, token: VerifiedToken, asked: Question, facts: Facts) -> Said:
        """What a genuine token says."""
        try:
            profile = self._profiler.profile(token)
        except Refusal:
            return Said(UNREADABLE)
        reading = Reading(facts)
        identity = identify(profile, asked, reading, self._policy)
        case = self._permit.case(asked, self._permit.asked(asked), identity, reading)
        # Not the case's own: it has none where the policy does not enforce them.
        held = held_internal_roles(case.rules, identity, case.choice)
        return Said(
            role=held[0] if held else None,
            end_user=profile.end_user or None,
            empty=frozenset(self._empty(token)),
        )

    def _empty(self, token: VerifiedToken) -> Iterator[str]:
        words, claims = self._words[token.issuer], token.claims
        if self._policy.options.email_as_id and is_missing(claims, words.user) and _is_empty(claims, words.email):
            yield "user_id"
        for name, path in (
            ("user_id", words.user),
            ("org_id", words.organization),
            ("end_user_id", words.end_user),
        ):
            if _is_empty(claims, path):
                yield name


def _is_empty(claims: VerifiedClaims, path: ClaimPath | None) -> bool:
    return path is not None and read(claims, path) == ""
