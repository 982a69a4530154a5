"""Moves from one house into the next while questions are answered: a changed configuration holds all at once or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from usherd.changes import Listening
from usherd.config.problems import ConfigError, Problem
from usherd.config.settings import Settings
from usherd.facts import Rows
from usherd.house import House, budget_of_all, new_directory, opened
from usherd.stores.budgets import Budget
from usherd.stores.key_sets import GivenKeysUnusable, KeySets
from usherd.stores.memory_directory import MemoryDirectory, Prepared
from usherd.stores.pinned_directory import PinnedDirectory
from usherd.telemetry.counts import Counts


class Refused(Exception):
    """The other configuration does not take effect, and the one in force stays."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """`problems` say why, for the operator."""
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class Moving:
    """The house that answers, and the way into the next one.

    All of them share the directory, with what has been spent and what provisioning has written. It gets the rows of the
    next house in the moment in which that begins to answer.
    """

    def __init__(
        self, settings: Settings, house: House, directory: MemoryDirectory, life: AsyncExitStack, counts: Counts | None
    ) -> None:
        """`life` ends the house. Use `into`."""
        self._counts = counts
        self._longest = settings.server.deadline
        self.settings = settings
        self.house = house
        self._directory = directory
        self._life = life
        self._ending: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @classmethod
    async def into(cls, settings: Settings, counts: Counts | None = None) -> Moving:
        """Into the first house; `close` ends whichever answers then. Raises GivenKeysUnusable.

        `counts` hears of what goes on in all of them; None: nobody does.
        """
        life, directory = AsyncExitStack(), new_directory(settings)
        house = await life.enter_async_context(opened(settings, PinnedDirectory(directory), counts=counts))
        return cls(settings, house, directory, life, counts)

    async def move(self, load: Callable[[], Settings], begin: Callable[[], None]) -> None:
        """Into the house that `load` describes. `begin` is called when all is ready for its first answer.

        Questions that are being answered stay in the old house, which ends once the longest of them must be over.
        Raises Refused, and nothing has changed then.
        """
        settings = await asyncio.to_thread(_loaded, load)
        life = AsyncExitStack()
        try:
            house = await self._ready(settings, life)
            # To compare and to index the rows of a large directory takes a while.
            rows = await asyncio.to_thread(self._rows, settings)
            # From here on nothing waits: no question meets one part of the change without the other.
            if rows is not None:
                before = self._directory.at_hand()
                self._directory.adopt(rows)
                self.house.directory.pin(before)
        except BaseException:
            await life.aclose()
            raise
        # What the house that answers has learnt since, above all which keys were withdrawn, the next one may not know.
        house.keys.learn(self.house.keys)
        self.house.tell_shadow(last=True)
        ending = asyncio.create_task(self._end(self._life, self.house.keys))
        self._life = life
        self.settings, self.house = settings, house
        begin()
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def listen(self, hear: Listening) -> Callable[[], None]:
        """`hear` is told of every change of the directory, whichever house answers, until what is returned is called.

        A move that brings other rows is told before `begin` is called: facts of that revision are the next house's.
        """
        return self._directory.listen(hear)

    async def close(self) -> None:
        """Ends the house that answers, and those that have not ended yet."""
        self._closing.set()
        if self._ending:
            await asyncio.wait(self._ending)
        await self._life.aclose()

    async def _end(self, life: AsyncExitStack, keys: KeySets) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * self._longest):
                # Then there is nobody left whom the old house could answer.
                await self._closing.wait()
        await life.aclose()
        self.house.keys.learn(keys)

    def _rows(self, settings: Settings) -> Prepared | None:
        """What the directory becomes; None: it stays as it is, with what provisioning has written."""
        if _of_directory(settings) == _of_directory(self.settings):
            return None
        return self._directory.prepared(*_of_directory(settings))

    async def _ready(self, settings: Settings, life: AsyncExitStack) -> House:
        try:
            directory = PinnedDirectory(self._directory)
            house = await life.enter_async_context(opened(settings, directory, self.house.keys, self._counts))
        except GivenKeysUnusable as error:
            raise Refused([Problem("", 0, "issuers", str(error))]) from None
        # A provider that is down at the moment must not cost its tokens the keys that are still good here.
        now = self.settings.policy.issuers
        good = {issuer.token.issuer for issuer in now if self.house.usable(issuer)}
        lost = [
            issuer.name
            for issuer in settings.policy.issuers
            if issuer.token.issuer in good and not house.usable(issuer)
        ]
        if lost:
            text = "its keys cannot be loaded now, and those in force are good"
            raise Refused([Problem("", 0, "issuers", f"issuer {name}: {text}") for name in lost])
        return house


def _loaded(load: Callable[[], Settings]) -> Settings:
    try:
        return load()
    except ConfigError as error:
        raise Refused(error.problems) from None


def _of_directory(settings: Settings) -> tuple[Rows, str | None, Budget]:
    """What the directory is made of, as `MemoryDirectory.prepared` takes it."""
    return settings.directory, settings.only_issuer, budget_of_all(settings)
