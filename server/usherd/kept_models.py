"""Has the models that a store keeps taken on, each time that some have changed: they are part of the policy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from usherd.changes import News, Sought
from usherd.config.catalogue import LeftAside
from usherd.errors import DirectoryUnavailable
from usherd.moving import Moving

DEBOUNCE = 0.1
"""Seconds that a change waits for others beside it."""
PAUSE = 0.3
"""Seconds from one policy to the next at least, and as long as it took to make the one before, if that is longer: a
large catalogue that changes all the time must not be all that a server does."""
LAST_PAUSE = 5.0
"""Seconds between two attempts after failures at most; they double."""
MOST_TOLD = 50
"""Lines of the log about what is left aside, at a time."""

_log = structlog.stdlib.get_logger("usherd.app")


class KeptModels:
    """Follows the store's models. Use `kept_models_followed`."""

    def __init__(self, moving: Moving, begin: Callable[[], None]) -> None:
        """`begin` as `Moving.take_models` takes it."""
        self._moving = moving
        self._begin = begin
        self._wanted = asyncio.Event()
        self._told: frozenset[LeftAside] = frozenset()
        self.taken = 0
        """Changes of the models that are in force."""
        self.failed = 0
        """Attempts that failed, each by itself."""
        self.outdated = False
        """Whether the last attempt failed: the models before it are in force."""

    @property
    def wanted(self) -> bool:
        """Whether models may have changed since they were last read."""
        return self._wanted.is_set()

    def hear(self, news: News) -> None:
        """As `changes.Listening`."""
        unknown = news.touched is None and not news.told_anew
        if unknown or any(lookup.sought is Sought.MODEL for lookup in news.lookups):
            self._wanted.set()

    async def follow(self) -> None:
        """Goes on until it is cancelled. Whatever fails is told once, and tried again."""
        self.tell_left_aside()
        # Some may have changed since the first house was built, before anybody listened.
        self._wanted.set()
        pause = PAUSE
        while True:
            await self._wanted.wait()
            await asyncio.sleep(DEBOUNCE)
            self._wanted.clear()
            begun = time.monotonic()
            try:
                taken = await self._moving.take_models(self._begin)
            except Exception as error:  # whatever it is: the models in force stay, and what it says may hold anything
                self._wanted.set()
                self._tell_failure(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_PAUSE)
                continue
            pause = PAUSE
            self._tell_success(taken)
            await asyncio.sleep(max(PAUSE, time.monotonic() - begun))

    def tell_left_aside(self) -> None:
        """Tells what the store has and no answer knows of, once each."""
        left_aside = frozenset(self._moving.catalogued.left_aside)
        new, self._told = sorted(left_aside - self._told), left_aside
        for each in new[:MOST_TOLD]:
            _log.warning("model_left_aside", model=each.model, alias=each.alias, cause=each.cause.value)
        if len(new) > MOST_TOLD:
            _log.warning("models_left_aside", untold=len(new) - MOST_TOLD)

    def _tell_failure(self, error: Exception) -> None:
        self.failed += 1
        if not self.outdated:
            cause = "unavailable" if isinstance(error, DirectoryUnavailable) else type(error).__name__
            _log.error("models_refused", cause=cause)
        self.outdated = True

    def _tell_success(self, taken: bool) -> None:
        if self.outdated:
            _log.info("models_taken_again")
        self.outdated = False
        if taken:
            self.taken += 1
            catalogued = self._moving.catalogued
            policy = catalogued.settings.policy.digest[:16]
            _log.info("models_taken", policy=policy, kept=catalogued.kept, left_aside=len(catalogued.left_aside))
        self.tell_left_aside()


@asynccontextmanager
async def kept_models_followed(moving: Moving, begin: Callable[[], None]) -> AsyncIterator[KeptModels | None]:
    """The store's models are followed while the block lasts; None: there is no store."""
    if moving.ground.store is None:
        yield None
        return
    followed = KeptModels(moving, begin)
    unlisten = moving.listen(followed.hear)
    task = asyncio.create_task(followed.follow(), name="models")
    try:
        yield followed
    finally:
        unlisten()
        task.cancel()
        await asyncio.wait([task])
