"""What usherd asks of a store that keeps sessions and the keys that sign them for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from usherd.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A signing key as it is kept. Dates are seconds since the epoch."""

    kid: str
    """Its thumbprint (RFC 7638), so that no other key can have it."""
    public: str
    """Its public half as a JWK."""
    sealed: bytes = field(repr=False)
    created_at: float
    signs_until: float
    verifies_until: float
    """No session that it has signed lasts longer."""


class SessionPage(NamedTuple):
    """Some sessions, sorted by id."""

    sessions: tuple[Session, ...]
    more: bool
    """Whether there are some after the last one."""
    revision: int
    """What they were read at."""


class Ended(NamedTuple):
    """What came of a revocation."""

    revoked: int
    """How many were valid until then."""
    revision: int
    """They count no more since then."""


class SessionStore(Protocol):
    """Keeps sessions. Everything raises DirectoryUnavailable when it is out of reach.

    A write is there for good once it has returned, in one transaction with its entries in the change log.
    """

    @property
    def id(self) -> str:
        """The store's id, as `Facts.store`."""

    async def create(self, session: Session, kid: str) -> int:
        """Keeps a new session, which that key signs, and returns the revision that knows it.

        The user's oldest end where there would be more than `MAX_PER_USER`. Raises NotFound when the key is gone.
        """

    async def get(self, session_id: str) -> Session | None:
        """That session; None: there is none, or it has expired long ago."""

    async def page(
        self, *, user_id: str = "", valid_only: bool = False, after: str = "", limit: int = 100
    ) -> SessionPage:
        """Sessions that have not expired, after that id, at most `limit`."""

    async def revoke(self, *, session_id: str = "", user_id: str = "") -> Ended:
        """Ends one session, or all of a user. What is no valid session is none that has to end."""


class SessionKeyStore(Protocol):
    """Keeps the keys. Everything raises DirectoryUnavailable when it is out of reach."""

    async def keys(self) -> Sequence[SealedKey]:
        """Those that verify sessions now, oldest first."""

    async def add(self, key: SealedKey, instead_of: str | None) -> bool:
        """Keeps another key, if the newest one is still the one of that id (None: if there is none), and says whether.

        Of several replicas that want to, one can.
        """

    async def reseal(self, kid: str, before: bytes, after: bytes) -> None:
        """Keeps a key sealed otherwise, if it is sealed as it was."""
