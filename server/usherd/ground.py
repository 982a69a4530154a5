"""The directory that all houses stand on: it stays, with what is in it, when another house answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from usherd.changes import Listening
from usherd.config.problems import Problem
from usherd.config.settings import Settings
from usherd.ports import Directory, Provisioning
from usherd.revocation_store import RevocationStore
from usherd.revoked import RevokedTokens
from usherd.store import ModelRow, Store
from usherd.stores.budgets import Budget
from usherd.stores.kept_sessions import KeptSessions

if TYPE_CHECKING:
    from usherd.stores.sql.sql_directory import Held


class HouseDirectory(Directory, Provisioning, Protocol):
    """The directory as the questions of one house meet it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKept:
    """What houses share that comes from a store."""

    token_key: bytes = field(repr=False)
    """What ids of tokens are made with, on every replica and for good."""
    revoked: RevokedTokens
    """The list of revoked tokens."""
    sessions: KeptSessions | None = None
    """Sessions of the user interface; None: usherd makes none."""


class Look(NamedTuple):
    """What is told of a directory."""

    revision: int
    rows: Mapping[str, int]
    """How many there are of each kind; empty where they are not counted."""
    held: Held | None
    """What a replica has of a directory that is kept; None: it is in memory."""


class Step(Protocol):
    """A move that can be made at any moment, without waiting."""

    def take(self) -> None:
        """Makes it: from now on the directory is the next house's."""


class Ground(Protocol):
    """The directory, and the way from one house to the next."""

    @property
    def store(self) -> Store | None:
        """What keeps it for good; None: nothing does."""

    @property
    def revocations(self) -> RevocationStore | None:
        """What keeps the list of revoked tokens; None: nothing does."""

    @property
    def kept(self) -> SharedKept | None:
        """What comes from the store; None: there is none."""

    @property
    def fresh(self) -> bool:
        """Whether it can be told from, and which tokens are revoked is known."""

    def look(self) -> Look:
        """What it has."""

    def listen(self, hear: Listening) -> Callable[[], None]:
        """`hear` is told of every change, whichever house answers, until what is returned is called."""

    def house(self, settings: Settings) -> HouseDirectory:
        """The directory for a house of that configuration."""

    def refuses(self, before: Settings, after: Settings) -> list[Problem]:
        """Why a house of the second configuration cannot come after one of the first."""

    async def step(self, before: Settings, after: Settings, old: HouseDirectory) -> Step:
        """Prepares the move between houses of these configurations; `old` is the first one's directory."""

    async def models(self) -> tuple[ModelRow, ...]:
        """The catalogue that the store keeps, sorted by name; of a very large one, no more than shows that it is too
        large. Raises DirectoryUnavailable."""


def budget_of_all(settings: Settings) -> Budget:
    """What everyone may spend together."""
    return Budget(settings.policy.budgets.global_max_micro_usd, settings.budget_period)


def other_directory() -> Problem:
    """Why a reload cannot bring another directory."""
    return Problem("", 0, "directory.url", "is another directory; expected a restart, which takes it")
