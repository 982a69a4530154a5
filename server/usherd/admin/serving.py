"""Serves what operators see at a port of its own; where none is configured, nothing listens and nothing is counted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from usherd.admin import health
from usherd.admin.address import SETTING, admin_address
from usherd.admin.look import look
from usherd.admin.post import Post
from usherd.admin.report import report
from usherd.config.settings import MetricsSettings
from usherd.http.server import HttpUnusable, Page, serving, text_page
from usherd.kept_models import KeptModels
from usherd.moving import Moving
from usherd.rpc.address import AddressUnusable
from usherd.rpc.health import Readiness
from usherd.rpc.server import Serving
from usherd.telemetry.counts import Counts
from usherd.telemetry.decision_log import DecisionLog
from usherd.telemetry.loop_lag import watch_lag
from usherd.telemetry.page import MetricsPage
from usherd.telemetry.state import ReloadState, State
from usherd.turns import Turn

_JSON = "application/json"


class Admin:
    """What is counted, and the pages that tell it. They say little until `attach`."""

    def __init__(self, readiness: Readiness, counts: Counts | None) -> None:
        """`counts` None: nothing is counted."""
        self.counts = counts
        self.address: str | None = None
        """Where the pages are, with the port that was really taken."""
        self._version = version("usherd")
        self._readiness = readiness
        self._look: Callable[[], State] | None = None
        self._reloads = ReloadState()

    def attach(
        self, moving: Moving, server: Serving, decision_log: DecisionLog | None, models: KeptModels | None
    ) -> None:
        """From now on the pages tell of the house that answers, its server, its decision log and its store's models."""
        self._reloads = ReloadState(in_force_since=time.time())
        self._look = lambda: look(moving, server, self._readiness, self._reloads, decision_log, models)

    def reloaded(self, problems: int) -> None:
        """A reload is over, refused for so many problems; 0: another configuration is in force."""
        now, before = time.time(), self._reloads
        if problems:
            self._reloads = replace(before, refused=before.refused + 1, last_at=now, problems=problems)
        else:
            applied = before.applied + 1
            self._reloads = replace(before, applied=applied, in_force_since=now, last_at=now, problems=0)

    def state(self) -> State | None:
        """What is so now; None before `attach`."""
        return None if self._look is None else self._look()

    async def live(self, accept: str) -> Page:
        """Liveness: whoever gets this page knows that the event loop runs."""
        return text_page(200, "live")

    async def ready(self, accept: str) -> Page:
        """Readiness: 200 while questions are welcome, else 503, with what is amiss."""
        told = self.told()
        return Page(200 if told["ready"] else 503, _JSON, health.detail(told))

    def told(self) -> dict[str, Any]:
        """What the page of readiness says."""
        return health.told(self._version, self._readiness.conditions._asdict(), self.state())


@asynccontextmanager
async def administered(
    metrics: MetricsSettings | None, readiness: Readiness, post: Post | None = None
) -> AsyncIterator[Admin]:
    """The pages, until the block is left; of a worker, which has a `post`, its supervisor serves them.

    Raises AddressUnusable.
    """
    if post is not None:
        async with _reported(post, readiness) as admin:
            yield admin
        return
    if metrics is None:
        yield Admin(readiness, None)
        return
    host, port = admin_address(metrics)
    counts = Counts()
    admin = Admin(readiness, counts)
    page = MetricsPage(version("usherd"), counts, admin.state)

    async def shown(accept: str) -> Page:
        body, content_type = await page.write(accept, Turn(time.monotonic).maybe_yield)
        return Page(200, content_type, body)

    pages = {"/metrics": shown, "/healthz": admin.live, "/readyz": admin.ready}
    async with AsyncExitStack() as stack:
        try:
            taken = await stack.enter_async_context(serving(pages, host, port))
        except HttpUnusable as error:
            raise AddressUnusable(str(error), SETTING) from None
        admin.address = f"{metrics.address.rpartition(':')[0]}:{taken}"
        lag = asyncio.create_task(watch_lag(counts.lag), name="loop lag")
        stack.push_async_callback(_ended, lag)
        yield admin


@asynccontextmanager
async def _reported(post: Post, readiness: Readiness) -> AsyncIterator[Admin]:
    """What the supervisor is told, until the block is left; what is not served is not counted either."""
    counts = Counts() if post.counts else None
    admin = Admin(readiness, counts)
    page = None if counts is None else MetricsPage(version("usherd"), counts, admin.state)
    post.report_with(lambda: report(admin.told(), page))
    async with AsyncExitStack() as stack:
        if counts is not None:
            lag = asyncio.create_task(watch_lag(counts.lag), name="loop lag")
            stack.push_async_callback(_ended, lag)
        yield admin


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
