"""Moves from one house into the next while questions are answered: a changed configuration holds all at once or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from usherd.changes import Listening
from usherd.config.catalogue import Catalogued, with_kept_models
from usherd.config.problems import ConfigError, Problem
from usherd.config.settings import Settings
from usherd.errors import DirectoryUnavailable
from usherd.ground import Ground
from usherd.house import House, opened
from usherd.rpc.tls import Tls, TlsUnusable, check_tls
from usherd.store import ModelRow
from usherd.stores.key_sets import GivenKeysUnusable, KeySets
from usherd.telemetry.counts import Counts


class Refused(Exception):
    """The other configuration does not take effect, and the one in force stays."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """`problems` say why, for the operator."""
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class Moving:
    """The house that answers, and the way into the next one.

    All of them share the directory, with what has been spent and what provisioning has written. One that is in memory
    gets the rows of the next house in the moment in which that begins to answer. Models that a store keeps are part of
    the policy, whichever house answers.
    """

    def __init__(
        self,
        configured: Settings,
        models: tuple[ModelRow, ...],
        catalogued: Catalogued,
        ground: Ground,
        house: House,
        life: AsyncExitStack,
        counts: Counts | None,
        on_keys: Callable[[str], None],
    ) -> None:
        """`life` ends the house. Use `into`."""
        self._counts = counts
        self._on_keys = on_keys
        self._longest = configured.server.deadline
        self._one_at_a_time = asyncio.Lock()
        self._configured = configured
        self._models = models
        self.catalogued = catalogued
        self.ground = ground
        self.house = house
        self._life = life
        self._ending: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @property
    def settings(self) -> Settings:
        """The configuration in force, with the models of the store."""
        return self.catalogued.settings

    @classmethod
    async def into(
        cls,
        settings: Settings,
        ground: Ground,
        counts: Counts | None = None,
        on_keys: Callable[[str], None] = lambda issuer: None,
    ) -> Moving:
        """Into the first house, on that ground; `close` ends whichever answers then. Raises GivenKeysUnusable, and
        DirectoryUnavailable where a store keeps models.

        `counts` hears of what goes on in all of them; None: nobody does. `on_keys` hears of each issuer whose keys may
        be others than before.
        """
        life = AsyncExitStack()
        models = await ground.models()
        found = await asyncio.to_thread(with_kept_models, settings, models)
        directory = ground.house(settings)
        made = opened(found.settings, directory, counts=counts, kept=ground.kept, on_keys=on_keys)
        house = await life.enter_async_context(made)
        return cls(settings, models, found, ground, house, life, counts, on_keys)

    async def move(self, load: Callable[[], Settings], begin: Callable[[], None]) -> None:
        """Into the house that `load` describes. `begin` is called when all is ready for its first answer.

        Questions that are being answered stay in the old house, which ends once the longest of them must be over.
        Raises Refused, and nothing has changed then.
        """
        async with self._one_at_a_time:
            await self._move(load, begin)

    async def _move(self, load: Callable[[], Settings], begin: Callable[[], None]) -> None:
        configured, found = await asyncio.to_thread(_loaded, load, self._models)
        settings = found.settings
        life = AsyncExitStack()
        try:
            house = await self._ready(settings, life)
            step = await self.ground.step(self.settings, settings, self.house.directory)
            # From here on nothing waits: no question meets one part of the change without the other.
            step.take()
        except DirectoryUnavailable:
            await life.aclose()
            raise Refused([Problem("", 0, "directory.url", "is out of reach at the moment")]) from None
        except BaseException:
            await life.aclose()
            raise
        # What the house that answers has learnt since, above all which keys were withdrawn, the next one may not know.
        house.keys.learn(self.house.keys)
        self.house.tell_shadow(last=True)
        ending = asyncio.create_task(self._end(self._life, self.house.keys))
        self._life = life
        self._configured, self.catalogued, self.house = configured, found, house
        begin()
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def take_models(self, begin: Callable[[], None]) -> bool:
        """Reads the models of the store again, and returns whether the policy is another for them; then it is in force.

        `begin` is called as by `move`. The house keeps its keys, and asks no provider for any. Raises
        DirectoryUnavailable, and nothing has changed then.
        """
        async with self._one_at_a_time:
            models = await self.ground.models()
            if models == self._models:
                return False
            found = await asyncio.to_thread(with_kept_models, self._configured, models)
            is_another = _digests(found.settings) != _digests(self.settings)
            house = await self.house.under(found.settings) if is_another else self.house
            self._models, self.catalogued = models, found
            if is_another:
                self.house.tell_shadow(last=True)
                self.house = house
                begin()
            return is_another

    def listen(self, hear: Listening) -> Callable[[], None]:
        """`hear` is told of every change of the directory, whichever house answers, until what is returned is called.

        A move that brings other rows is told before `begin` is called: facts of that revision are the next house's.
        """
        return self.ground.listen(hear)

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

    async def _ready(self, settings: Settings, life: AsyncExitStack) -> House:
        if problems := self.ground.refuses(self.settings, settings):
            raise Refused(problems)
        try:
            directory = self.ground.house(settings)
            made = opened(settings, directory, self.house.keys, self._counts, self.ground.kept, self._on_keys)
            house = await life.enter_async_context(made)
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


def _loaded(load: Callable[[], Settings], models: tuple[ModelRow, ...]) -> tuple[Settings, Catalogued]:
    try:
        configured = load()
    except ConfigError as error:
        raise Refused(error.problems) from None
    tls = configured.server.tls
    if tls is not None:
        # Handshakes go on with what was in force, so that nobody would hear of it before the next start.
        try:
            check_tls(Tls(cert=tls.cert, key=tls.key, client_ca=tls.client_ca))
        except TlsUnusable as unusable:
            raise Refused([Problem("", 0, "server.tls", unusable.problem)]) from None
    return configured, with_kept_models(configured, models)


def _digests(settings: Settings) -> tuple[str, str | None]:
    return settings.policy.digest, None if settings.shadow is None else settings.shadow.digest
