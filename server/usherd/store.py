"""What usherd asks of a store that keeps a directory for good: rows, their changes in order, and what was spent.

Rows are those of `facts`, with three differences: a team's `members` and a user's `teams` are kept as places
(`Place`), one row each, and are empty in the rows that are written; in those that are read, a user has its `teams`: its
places, without those that it is `away` from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from usherd.changes import Change, RowKind
from usherd.facts import BudgetOwner, BudgetState, EndUser, Membership, Organization, Team, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A user's place in a team, as a row."""

    team: str
    user: str
    place: Membership
    away: bool = False
    """The user is not in the team, since tokens no longer name it. What somebody has set of the place stays for when
    they do, or whoever has two tokens would shed a limit; what is spent meanwhile is counted, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model of the catalogue."""

    name: str
    provider: str = ""
    groups: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    revision: str = ""


Row = Organization | Team | User | Place | EndUser | ModelRow

RowId = tuple[str, ...]
"""(id); of a place (team's id, user's id); of a model (name)."""


class Stored(NamedTuple):
    """A row as it is kept."""

    row: Row
    etag: str
    """The revision of its last change."""


class Filter(NamedTuple):
    """Which rows a page has. What is empty or None filters nothing, and what a kind does not have matches nothing."""

    prefix: str = ""
    """Of the id, or of the model's name."""
    alias: str = ""
    organization: str = ""
    """Teams of that organization, users with a place in it."""
    team: str = ""
    """Places in that team, users with a place in it."""
    user: str = ""
    """Places of that user."""
    issuer: str = ""
    """Teams of that issuer, users with an identity there."""
    email: str = ""
    blocked: bool | None = None


class Page(NamedTuple):
    """Some rows, sorted by id (code points)."""

    rows: tuple[Stored, ...]
    more: bool
    """Whether there are rows after the last one."""
    revision: int
    """What they were read at."""


class Op(Enum):
    """What an edit does."""

    CREATE = "create"
    """Raises AlreadyExists when it is there."""
    UPDATE = "update"
    """Raises NotFound when it is not there."""
    PUT = "put"
    """Creates or updates it, whichever it takes."""
    DELETE = "delete"
    """Raises NotFound when it is not there. What is only there with it goes with it: identities, places, spend."""


class Edit(NamedTuple):
    """One edit of one row. A row that is as it should be already is not changed, and keeps its revision."""

    op: Op
    kind: RowKind
    id: RowId
    row: Row | None = None
    """The whole row as it should be; its `revision` says nothing. None: it is deleted."""
    etag: str = ""
    """Raises EtagMismatch when the row has another one. Empty: whatever it is."""


class Request(NamedTuple):
    """Makes a write idempotent: the same request again changes nothing and returns what it returned."""

    caller: str
    """Whose it is; the same id of another caller is another request."""
    id: str
    digest: bytes
    """Of everything it asks for: the same id with another digest raises FieldInvalid."""


class Applied(NamedTuple):
    """What came of edits."""

    revision: int
    """The directory has all of them since then."""
    rows: tuple[Stored | None, ...]
    """One for each edit, as it is now; None: it was deleted. Empty for a request that was made before and whose rows
    have changed or gone since."""


class Usage(NamedTuple):
    """What somebody has spent."""

    owner: BudgetOwner
    micro_usd: int
    """0 or more."""


class Spent(NamedTuple):
    """Where a budget stands."""

    micro_usd: int
    """Spent in the period that is now."""
    state: BudgetState
    period_end: float
    """Seconds since the epoch; infinite: it never ends."""


class Changes(NamedTuple):
    """A stretch of the change log, whole transactions, in order."""

    changes: tuple[Change, ...]
    through: int
    """All changes up to that revision are in it, or came before."""
    head: int
    """The revision of the last change there is."""
    mark: float | None = None
    """When the change was committed after which they were asked for; None: that is no longer known. Whoever knows it
    otherwise has read another log: a database that was restored gives the same revisions once more."""


class Store(Protocol):
    """A store. Everything raises DirectoryUnavailable when it is out of reach.

    A write is there for good once it has returned, in one transaction with its entries in the change log; one that
    raises DirectoryUnavailable may have been made or not, and a `Request` makes it safe to repeat. Revisions rise, and
    no reader that has seen one will ever find another change at or below it.
    """

    @property
    def id(self) -> str:
        """The store's id, as `Facts.store`."""

    async def get(self, kind: RowKind, ids: Sequence[RowId]) -> list[Stored | None]:
        """These rows, in this order; None: it is not there."""

    async def page(self, kind: RowKind, wanted: Filter, *, after: RowId = (), limit: int = 100) -> Page:
        """Rows after that id, at most `limit`."""

    async def apply(self, edits: Sequence[Edit], request: Request | None = None) -> Applied:
        """Makes all of the edits, in their order and in one step, or none.

        Raises NotFound, AlreadyExists (also for an identity that another user has), EtagMismatch, BrokenReference
        (a place needs its team and user; an organization stays as long as a team or user names it), FieldInvalid.
        """

    async def record_usage(self, usages: Sequence[Usage], request: Request | None = None) -> int:
        """Adds to what these owners have spent, and returns the revision: a new one if a budget's state has changed.

        One owner each and no other, as `MemoryDirectory.record_usage`; owners that the directory does not know are
        left out.
        """

    async def usage(self, owner: BudgetOwner) -> Spent | None:
        """What that owner has spent; None: the directory does not know it."""

    async def reset_usage(self, owner: BudgetOwner, request: Request | None = None) -> int:
        """Begins the owner's period anew, and returns the revision. Raises NotFound for an owner it does not know."""

    async def head(self) -> int:
        """The revision of the last change."""

    async def changes(self, after: int, limit: int = 1000) -> Changes:
        """What has changed since that revision, at least one whole transaction if there is one.

        Raises ChangesCompacted when changes since then are no longer kept, FieldInvalid for a revision to come.
        """
