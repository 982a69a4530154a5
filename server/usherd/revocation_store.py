"""What usherd asks of a store that keeps the list of revoked tokens for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from usherd.revocations import Entry, Snapshot
from usherd.store import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """An entry as it is kept."""

    id: str
    """A digest of what is revoked, 32 hexadecimal digits."""
    entry: Entry
    note: str
    caller: str
    """The name of the caller that revoked it last; empty: callers were not told apart."""
    revoked_at: float
    """Seconds since the epoch."""


class Wanted(NamedTuple):
    """Which revocations a page has. What is empty filters nothing."""

    issuer: str = ""
    """Those of a token by its id say no issuer, and fit none."""
    subject: str = ""
    jti: str = ""
    token_id: str = ""


class Page(NamedTuple):
    """Some revocations, sorted by id."""

    rows: tuple[Revocation, ...]
    more: bool
    """Whether there are some after the last one."""
    revision: int
    """What they were read at."""


class Revoked(NamedTuple):
    """What came of a revocation."""

    revision: int
    """It counts since then."""
    revocation: Revocation | None
    """None: the request was made before, and the revocation has changed or gone since."""


class RevocationStore(Protocol):
    """Keeps the list. Everything raises DirectoryUnavailable when it is out of reach.

    A write is there for good once it has returned, in one transaction with its entry in the change log: the look-up of
    what it is about, and what `told` makes of it.
    """

    @property
    def id(self) -> str:
        """The store's id, as `Facts.store`."""

    async def revoke(self, entry: Entry, *, note: str, caller: str, request: Request | None = None) -> Revoked:
        """Puts an entry into the list, or joins it to the one about the same.

        Whoever revoked it last, and their note, stay with it. Raises ListFull, and FieldInvalid for a request's id that
        was another's.
        """

    async def page(self, wanted: Wanted, *, after: str = "", limit: int = 100) -> Page:
        """Those that count now, after that id, at most `limit`."""

    async def snapshot(self) -> Snapshot:
        """The whole list, as it is now."""

    async def lift(self, id: str, request: Request | None = None) -> int:
        """Takes one out of the list, and returns the revision since which it does not count. Raises NotFound."""
