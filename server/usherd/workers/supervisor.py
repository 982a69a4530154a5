"""Starts workers, keeps their ports, ends them in order, and tells of all of them. It answers no question itself.

What would end with it does: it holds no lock, no connection of a caller and no key, and each worker dies with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from usherd.admin.address import SESSIONS, SETTING, admin_address
from usherd.config.settings import MetricsSettings, Settings
from usherd.http.server import HttpUnusable, serving
from usherd.rpc.address import AddressUnusable
from usherd.stopping import stop_signals
from usherd.workers.pages import Pages
from usherd.workers.place import Place, Refused
from usherd.workers.port import kept

ASKED_EVERY = 2.0
"""Seconds from one look at the workers to the next: as much of what a killed one has counted may be lost."""
APART = "server.workers: each worker has a directory in memory of its own; what one provisions, others do not know"
"""What follows from several workers beside a directory in memory."""


class Where(NamedTuple):
    """What is kept for workers, each with the port that was really taken."""

    address: str
    """Where they answer questions."""
    sessions: str | None
    """Where they tell sessions over HTTP; None: nowhere."""


Starts = Callable[[Where, bool], Callable[[int, int], Sequence[str]]]
"""Makes the command that starts a worker: of where it serves, and of whether its metrics are wanted."""

_log = logging.getLogger("usherd.workers")


async def supervise(
    settings: Settings, workers: int, starts: Starts, *, on_ready: Callable[[str], None] = lambda address: None
) -> int:
    """Keeps so many workers until a signal (SIGTERM, SIGINT), then drains them; a second signal kills all.

    The exit code: 0 where all ended in order; that of a worker whose very first process could not serve by its
    configuration, as it has said by itself. Raises AddressUnusable.
    """
    stopped = stop_signals()
    pages = Pages()
    if settings.store is None:
        _log.warning("workers_apart", extra={"setting": APART})
    async with AsyncExitStack() as stack:
        where = _kept(settings, stack)
        counts = await stack.enter_async_context(_served(settings.metrics, pages))
        command = starts(where, counts)
        places = [
            Place(number, command, on_report=pages.report, drain=settings.server.drain)
            for number in range(1, workers + 1)
        ]
        pages.watch(places)
        stack.enter_context(_reloading(places))

        def begun() -> None:
            _log.info("workers_serve", extra={"address": where.address, "workers": workers})
            on_ready(where.address)

        return await _run(places, pages, stopped, begun)


def _kept(settings: Settings, stack: AsyncExitStack) -> Where:
    address = stack.enter_context(kept(settings.server.address))
    http = None if settings.sessions is None else settings.sessions.http
    return Where(address, None if http is None else stack.enter_context(kept(http, SESSIONS)))


async def _run(places: Sequence[Place], pages: Pages, stopped: asyncio.Event, on_ready: Callable[[], None]) -> int:
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tasks: set[asyncio.Task[None]] = set()

    def begun(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda ended: _pass_on(ended, failed))
        tasks.add(task)
        return task

    watching, beginning = begun(_watch(places)), begun(_begin(places, begun, on_ready))
    stopping = asyncio.create_task(stopped.wait(), name="stop signals")
    ends: list[asyncio.Future[Any]] = [stopping, failed]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        _log.info("draining")
        pages.end()
        beginning.cancel()
        await asyncio.gather(*(place.drain() for place in places))
        await asyncio.gather(*(tasks - {watching, beginning}), return_exceptions=True)
        if failed.done():
            await failed
    except Refused as refused:
        return refused.code
    finally:
        for each in (*ends, *tasks):
            each.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)
    _log.info("stopped")
    return 0 if all(place.in_order for place in places) else 1


def _pass_on(ended: asyncio.Task[None], failed: asyncio.Future[None]) -> None:
    error = None if ended.cancelled() else ended.exception()
    if error is not None and not failed.done():
        failed.set_exception(error)


async def _begin(
    places: Sequence[Place],
    begun: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
    on_ready: Callable[[], None],
) -> None:
    """Starts the first worker, and all others once it serves: what none of them could do is said once."""
    for group in (places[:1], places[1:]):
        for place in group:
            begun(place.run())
        for place in group:
            await place.settled.wait()
    on_ready()


async def _watch(places: Sequence[Place]) -> None:
    while True:
        await asyncio.sleep(ASKED_EVERY)
        for place in places:
            place.ask()


@contextlib.contextmanager
def _reloading(places: Sequence[Place]) -> Iterator[None]:
    def reload() -> None:
        for place in places:
            place.reload()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


@asynccontextmanager
async def _served(metrics: MetricsSettings | None, pages: Pages) -> AsyncIterator[bool]:
    """The pages, where they are wanted; whether they are."""
    if metrics is None:
        yield False
        return
    host, port = admin_address(metrics)
    async with AsyncExitStack() as stack:
        try:
            taken = await stack.enter_async_context(serving(pages.by_path(), host, port))
        except HttpUnusable as error:
            raise AddressUnusable(str(error), SETTING) from None
        _log.info("metrics_served", extra={"address": f"{metrics.address.rpartition(':')[0]}:{taken}"})
        yield True
