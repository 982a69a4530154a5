"""`usherd serve`: answers questions over gRPC until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from usherd.cli.console import fail, say
from usherd.cli.litellm import Directory, Ignore, Litellm, LitellmVersion, Version, chosen_settings, loaded
from usherd.config.read_files import recorded
from usherd.config.settings import Settings

EXAMPLES = """\b
Examples:
  usherd serve --config usherd.yaml
  usherd serve --config usherd.yaml --address unix:/run/usherd.sock
  usherd serve --litellm-config config.yaml --directory directory.yaml

SIGTERM and SIGINT drain: calls finish, then the exit code is 0. A second signal kills.
SIGHUP reads the configuration again, and so does a change of its files; one that does not load changes nothing."""


def serve(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.")] = None,
    address: Annotated[str | None, typer.Option(help="Instead of server.address: host:port or unix:path.")] = None,
    litellm_config: Litellm = None,
    directory: Directory = None,
    litellm_version: Version = LitellmVersion.LATEST,
    ignore: Ignore = None,
) -> None:
    """Serves until a signal."""
    _take_whole_time_slices()
    # gRPC's core would write lines of its own, which are no JSON, for each failed handshake.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if hasattr(signal, "SIGHUP"):
        # Whoever means a reload must not end a server that only begins, or already ends.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with recorded() as files:
        settings = chosen_settings(config, litellm_config, directory, litellm_version, ignore)
    # Only now: gRPC starts threads when it is imported, and they keep the way in which they were scheduled.
    from dataclasses import replace

    from usherd import app
    from usherd.call_listeners import DecisionLogUnusable
    from usherd.errors import DirectoryUnavailable
    from usherd.reloads import Source
    from usherd.rpc.address import AddressUnusable
    from usherd.rpc.tls import TlsUnusable
    from usherd.stores.key_sets import GivenKeysUnusable
    from usherd.stores.session_keeper import KeysSealedAway
    from usherd.stores.sql.failures import DatabaseUnusable, cause_of
    from usherd.telemetry import log

    log.configure(form=settings.log, level=settings.log_level)

    def at(found: Settings) -> Settings:
        return found if address is None else replace(found, server=replace(found.server, address=address))

    def again() -> Settings:
        return at(loaded(config, litellm_config, directory, litellm_version, ignore))

    def announce(address: str) -> None:
        # Where decisions are written there, nothing else is: the log tells the address, too.
        if settings.decision_log is None or settings.decision_log.file is not None:
            say(f"usherd serves on {address}")

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            source = Source(again, files)
            runner.run(app.serve(at(settings), source, on_ready=announce))
    except (
        AddressUnusable,
        TlsUnusable,
        GivenKeysUnusable,
        DecisionLogUnusable,
        DatabaseUnusable,
        KeysSealedAway,
    ) as error:
        fail(f"{config or litellm_config}: {error}")
    except DirectoryUnavailable as error:
        fail(f"{config or litellm_config}: directory.url: the database is out of reach: {cause_of(error)}")


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
