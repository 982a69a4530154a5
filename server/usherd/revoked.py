"""A replica's copy of the list of revoked tokens: asked for every question, without waiting, and exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from usherd.changes import Lookup, News, Sought
from usherd.domain import VerifiedToken
from usherd.errors import RevocationsUnavailable
from usherd.policy import Policy
from usherd.ports import Clock
from usherd.revocations import Entry, Snapshot, heard
from usherd.subjects import Subjects

_NEVER = float("-inf")


class RevokedTokens:
    """The whole list, loaded once and kept in step by news. What it cannot know it does not guess."""

    def __init__(self, clock: Clock, current: Callable[[], bool], wanting: Callable[[], None] = lambda: None) -> None:
        """`current` says whether news of the last seconds have been heard. `wanting` is called when the list has to be
        loaded anew, because news say that they do not say all."""
        self._clock = clock
        self._current = current
        self._wanting = wanting
        self._entries: dict[Lookup, Entry] = {}
        self._changes = 0
        self._loaded: int | None = None
        self._at_least = 0
        self.losses = 0
        """How often the list was lost."""
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

    def load(self, snapshot: Snapshot, begun: int | None = None) -> None:
        """Takes in the whole list; what was heard meanwhile, and came later than it, counts on top.

        One that was read before the list was lost is no use: it must be read again. `begun` is what `losses` was when
        reading it began: of a database that was restored, a revision alone does not say which life of it was read.
        """
        if snapshot.revision < self._at_least or begun not in (None, self.losses):
            return
        self._entries = snapshot.entries
        self._changes += 1
        self._loaded = snapshot.revision
        early, self._early = self._early, []
        self._take(early, snapshot.revision)

    def lose(self, at_least: int) -> None:
        """Nothing is known until the list is loaded as it is at that revision or later."""
        # It may be a lower one than before: that of a database that was restored.
        self._at_least = at_least
        self.losses += 1
        self._entries = {}
        self._loaded = None
        self._early = []
        self._changes += 1
        self._wanting()

    def hear(self, news: News) -> None:
        """Follows (`changes.Listening`)."""
        if news.touched is None and not news.told_anew:
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
        self._changes += 1
        for each in read_ones:
            if self._loaded is not None and each.revision <= self._loaded:
                continue
            if each.entry is None:
                self._entries.pop(each.which, None)
            else:
                self._entries[each.which] = each.entry

    def changes(self) -> int:
        """How often the list has changed; 0: it is empty. Raises RevocationsUnavailable when it is not known now."""
        if self._loaded is None or not self._current():
            raise RevocationsUnavailable
        return self._changes if self._entries else 0

    def now(self) -> float:
        """What time it is for entries."""
        return self._clock()

    def one(self, which: Lookup) -> Entry | None:
        """The entry about that one token."""
        return self._entries.get(which)

    def before(self, which: Lookup, issued_at: float) -> Entry | None:
        """The entry about tokens of that subject or issuer that were issued then; minus infinity: nobody knows when."""
        entry = self._entries.get(which)
        if entry is None or entry.issued_before is None or issued_at >= entry.issued_before:
            return None
        return entry


class _End(NamedTuple):
    """What was found about a token."""

    changes: int
    """The state of the list in which it was."""
    until: float
    """How long the token is revoked; minus infinity: it is not."""


class PolicyRevocations:
    """`ports.Revocations`: the list, asked about tokens as one policy reads them."""

    def __init__(self, revoked: RevokedTokens, policy: Policy) -> None:
        self._revoked = revoked
        # As long as the verifier remembers a token and the list stays as it is, nothing need be looked up again.
        self._ends: WeakKeyDictionary[VerifiedToken, _End] = WeakKeyDictionary()
        self._subjects = Subjects(policy)

    def revoked(self, token: VerifiedToken) -> bool:
        """Whether it was. Raises RevocationsUnavailable when that is not known."""
        changes = self._revoked.changes()
        if not changes:
            return False
        ends = self._ends.get(token)
        if ends is None or ends.changes != changes:
            found = [each.until for each in self._entries_about(token) if each is not None]
            ends = self._ends[token] = _End(changes, max(found, default=_NEVER))
        return ends.until != _NEVER and self._revoked.now() < ends.until

    def _entries_about(self, token: VerifiedToken) -> Iterator[Entry | None]:
        revoked, issuer, claims = self._revoked, token.issuer, token.claims
        yield revoked.one(Lookup(Sought.TOKEN, (token.token_id,)))
        jti = claims.get("jti")
        if isinstance(jti, str):
            yield revoked.one(Lookup(Sought.JTI, (issuer, jti)))
        issued_at = _issued_at(claims.get("iat"))
        yield revoked.before(Lookup(Sought.ISSUER, (issuer,)), issued_at)
        for each in self._subjects.of(token):
            yield revoked.before(Lookup(Sought.SUBJECT, each), issued_at)


def _issued_at(iat: object) -> float:
    # No date counts as before every moment, and what is no date is none.
    return iat if isinstance(iat, (int, float)) and not isinstance(iat, bool) else _NEVER
