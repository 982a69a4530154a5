"""`usherd serve`: answers questions over gRPC until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usherd.cli.console import fail, say
from usherd.cli.litellm import Directory, Ignore, Litellm, LitellmVersion, Version, chosen_settings, loaded
from usherd.cli.notify import tell_started
from usherd.cli.serve_workers import served_by_workers
from usherd.config.problems import Unusable
from usherd.config.read_files import recorded
from usherd.config.scalars import check_workers

if TYPE_CHECKING:
    from usherd.config.settings import Settings
    from usherd.workers.orders import Orders

EXAMPLES = """\b
Examples:
  usherd serve --config usherd.yaml
  usherd serve --config usherd.yaml --address unix:/run/usherd.sock
  usherd serve --config usherd.yaml --workers 4
  usherd serve --litellm-config config.yaml --directory directory.yaml

SIGTERM and SIGINT drain: calls finish, then the exit code is 0. A second signal kills.
SIGHUP reads the configuration again, and so does a change of its files; one that does not load changes nothing.
With several workers, all this is so of each of them; a worker that ends is started again."""


def serve(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.")] = None,
    address: Annotated[str | None, typer.Option(help="Instead of server.address: host:port or unix:path.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Instead of server.workers: processes that answer at one port.")
    ] = None,
    litellm_config: Litellm = None,
    directory: Directory = None,
    litellm_version: Version = LitellmVersion.LATEST,
    ignore: Ignore = None,
    as_worker: Annotated[
        str | None, typer.Option(hidden=True, help="What the supervisor of several workers tells each of them.")
    ] = None,
) -> None:
    """Serves until a signal."""
    orders = None if as_worker is None else _orders(as_worker)
    _take_whole_time_slices()
    # gRPC's core would write lines of its own, which are no JSON, for each failed handshake.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if hasattr(signal, "SIGHUP"):
        # Whoever means a reload must not end a server that only begins, or already ends.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def at(found: Settings) -> Settings:
        server = found.server
        return replace(
            found,
            server=replace(server, address=address or server.address, workers=workers or server.workers),
        )

    def again() -> Settings:
        return at(loaded(config, litellm_config, directory, litellm_version, ignore))

    with recorded() as files:
        settings = at(chosen_settings(config, litellm_config, directory, litellm_version, ignore))

    def announce(address: str) -> None:
        tell_started()
        # Where decisions are written there, nothing else is: the log tells the address, too.
        if settings.decision_log is None or settings.decision_log.file is not None:
            say(f"usherd serves on {address}")

    named = str(config or litellm_config)
    if orders is None and settings.server.workers > 1:
        _check_workers(settings)
        arguments = _arguments(config, address, workers, litellm_config, directory, litellm_version, ignore)
        served_by_workers(settings, arguments, named, announce)
        return
    # Only now: gRPC starts threads when it is imported, and they keep the way in which they were scheduled.
    from usherd import app
    from usherd.admin.post import Post
    from usherd.call_listeners import DecisionLogUnusable
    from usherd.errors import DirectoryUnavailable
    from usherd.reloads import Source
    from usherd.rpc.address import AddressUnusable
    from usherd.rpc.tls import TlsUnusable
    from usherd.stores.key_sets import GivenKeysUnusable
    from usherd.stores.session_keeper import KeysSealedAway
    from usherd.stores.sql.unusable import DatabaseUnusable, cause_of
    from usherd.telemetry import log

    log.configure(form=settings.log, level=settings.log_level, worker=None if orders is None else orders.number)
    post = None
    if orders is not None:
        post = Post(orders.take_line(), address=orders.address, sessions=orders.sessions, counts=orders.counts)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            source = Source(again, files)
            runner.run(app.serve(settings, source, on_ready=announce if post is None else _quiet, post=post))
    except (
        AddressUnusable,
        TlsUnusable,
        GivenKeysUnusable,
        DecisionLogUnusable,
        DatabaseUnusable,
        KeysSealedAway,
    ) as error:
        fail(f"{named}: {error}")
    except DirectoryUnavailable as error:
        fail(f"{named}: directory.url: the database is out of reach: {cause_of(error)}")


def _quiet(address: str) -> None:
    """A worker's address is its supervisor's to tell."""


def _orders(text: str) -> Orders:
    from usherd.workers.orders import NotOrders, die_with, orders

    try:
        found = orders(text)
    except NotOrders:
        fail("--as-worker is for the supervisor of several workers; expected --workers")
    die_with(found.supervisor)
    return found


def _check_workers(settings: Settings) -> None:
    try:
        check_workers(settings.server.workers, settings.server.address)
    except Unusable as error:
        fail(f"server.workers: {error}")


def _arguments(
    config: Path | None,
    address: str | None,
    workers: int | None,
    litellm: Path | None,
    directory: Path | None,
    version: LitellmVersion,
    ignore: list[str] | None,
) -> list[str]:
    """Those of `serve`, once more for a worker."""
    named = {
        "--config": config,
        "--address": address,
        "--workers": workers,
        "--litellm-config": litellm,
        "--directory": directory,
        "--litellm-version": version.value,
    }
    found = [f"{name}={value}" for name, value in named.items() if value is not None]
    return found + [f"--ignore={each}" for each in ignore or ()]


def _take_whole_time_slices() -> None:
    """Asks not to be woken in the middle of others' time slices: many small wake-ups cost 12 to 20 % of the CPU."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loops where it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
