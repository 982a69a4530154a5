"""A replica's copy of the list of revoked tokens: asked for every question, without waiting, and exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from usherd.changes import Lookup, News, Sought
from usherd.claim_paths import read
from usherd.domain import SESSION_ISSUER, VerifiedToken
from usherd.errors import RevocationsUnavailable
from usherd.policy import ClaimPath, ClaimPaths, Policy
from usherd.ports import Clock
from usherd.revocations import Entry, Snapshot, heard

_NEVER = float("-inf")
_SUBJECT: ClaimPath = ("sub",)
_SESSION_USER: ClaimPath = ("user_id",)


class RevokedTokens:
    """The whole list, loaded once and kept in step by news. What it cannot know it does not guess."""

    def __init__(self, clock: Clock, current: Callable[[], bool], wanting: Callable[[], None] = lambda: None) -> None:
        """`current` says whether news of the last seconds have been heard. `wanting` is called when the list has to be
        loaded anew, because news say that they do not say all."""
        self._clock = clock
        self._current = current
        self._wanting = wanting
        self._entries: dict[Lookup, Entry] = {}
        self._loaded: int | None = None
        self._at_least = 0
        self._early: list[Lookup] = []

    @property
    def known(self) -> bool:
        """Whether the list can be asked now."""
        return self._loaded is not None and self._current()

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> Mapping[Lookup, Entry]:
        """What is in it."""
        return self._entries

    @property
    def loaded(self) -> bool:
        """Whether the list was loaded since it was last lost."""
        return self._loaded is not None

    def load(self, snapshot: Snapshot) -> None:
        """Takes in the whole list; what was heard meanwhile, and came later than it, counts on top.

        One that was read before the list was lost is no use: it must be read again.
        """
        if snapshot.revision < self._at_least:
            return
        self._entries = snapshot.entries
        self._loaded = snapshot.revision
        early, self._early = self._early, []
        self._take(early, snapshot.revision)

    def lose(self, at_least: int) -> None:
        """Nothing is known until the list is loaded as it is at that revision or later."""
        self._at_least = max(self._at_least, at_least)
        self._entries = {}
        self._loaded = None
        self._early = []
        self._wanting()

    def hear(self, news: News) -> None:
        """Follows (`changes.Listening`)."""
        if news.touched is None:
            self.lose(news.revision)
        told = [each for each in news.lookups if each.sought is Sought.REVOCATION]
        if not told:
            return
        if self._loaded is None:
            self._early += told
        else:
            self._take(told, news.revision)

    def _take(self, told: Sequence[Lookup], revision: int) -> None:
        try:
            read_ones = sorted(map(heard, told), key=lambda each: each.revision)
        except ValueError:
            # Of a later version, perhaps: the list itself says what it is.
            self.lose(revision)
            return
        for each in read_ones:
            if self._loaded is not None and each.revision <= self._loaded:
                continue
            if each.entry is None:
                self._entries.pop(each.which, None)
            else:
                self._entries[each.which] = each.entry

    def check(self) -> bool:
        """Whether anything is revoked at all. Raises RevocationsUnavailable when the list is not known now."""
        if self._loaded is None or not self._current():
            raise RevocationsUnavailable
        return bool(self._entries)

    def is_one(self, which: Lookup) -> bool:
        """Whether that one token is revoked."""
        entry = self._entries.get(which)
        return entry is not None and self._clock() < entry.until

    def is_before(self, which: Lookup, issued_at: float) -> bool:
        """Whether tokens of that subject or issuer are revoked if they were issued then; minus infinity: unknown."""
        entry = self._entries.get(which)
        if entry is None or entry.issued_before is None:
            return False
        return issued_at < entry.issued_before and self._clock() < entry.until


class PolicyRevocations:
    """`ports.Revocations`: the list, asked about tokens as one policy reads them."""

    def __init__(self, revoked: RevokedTokens, policy: Policy) -> None:
        self._revoked = revoked
        self._paths = {
            issuer.name: tuple(dict.fromkeys((_SUBJECT, *_user_paths(policy, issuer.claims))))
            for issuer in policy.issuers
        }
        self._sessions: list[tuple[str, tuple[ClaimPath, ...]]] = [(SESSION_ISSUER, (_SUBJECT, _SESSION_USER))]
        if policy.options.session_identity == "claims" and policy.issuers:
            # Then the directory knows who holds a session as it knows the first issuer's users.
            first = policy.issuers[0].name
            self._sessions.append((first, self._paths[first]))

    def revoked(self, token: VerifiedToken) -> bool:
        """Whether it was. Raises RevocationsUnavailable when that is not known."""
        revoked = self._revoked
        if not revoked.check():
            return False
        if revoked.is_one(Lookup(Sought.TOKEN, (token.token_id,))):
            return True
        issuer, claims = token.issuer, token.claims
        jti = claims.get("jti")
        if isinstance(jti, str) and revoked.is_one(Lookup(Sought.JTI, (issuer, jti))):
            return True
        issued_at = _issued_at(claims.get("iat"))
        return revoked.is_before(Lookup(Sought.ISSUER, (issuer,)), issued_at) or any(
            revoked.is_before(Lookup(Sought.SUBJECT, each), issued_at) for each in self._subjects(token)
        )

    def _subjects(self, token: VerifiedToken) -> Iterator[tuple[str, str]]:
        """Whom the token is about, as (issuer, subject): by `sub`, and by whatever the user's id is taken from."""
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


def _issued_at(iat: object) -> float:
    # No date counts as before every moment, and what is no date is none.
    return iat if isinstance(iat, (int, float)) and not isinstance(iat, bool) else _NEVER
