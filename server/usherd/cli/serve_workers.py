"""`usherd serve --workers N`: the supervisor's side of the command, and how a worker is started."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from usherd.cli.console import fail

if TYPE_CHECKING:
    from usherd.config.settings import Settings


def served_by_workers(
    settings: Settings, arguments: Sequence[str], named: str, announce: Callable[[str], None]
) -> None:
    """Serves until a signal, as `usherd serve` does; `arguments` are those of it that name the configuration.

    `named` is the file that errors are about.
    """
    from usherd.admin.address import admin_address
    from usherd.rpc.address import AddressUnusable
    from usherd.telemetry import log
    from usherd.workers.orders import Orders
    from usherd.workers.supervisor import Where, supervise

    log.configure(form=settings.log, level=settings.log_level)

    def starts(where: Where, counts: bool) -> Callable[[int, int], Sequence[str]]:
        def command(number: int, line: int) -> Sequence[str]:
            orders = Orders(
                number=number,
                line=line,
                supervisor=os.getpid(),
                address=where.address,
                sessions=where.sessions,
                counts=counts,
            )
            return [sys.executable, *_flags(), "-m", "usherd", "serve", *arguments, "--as-worker", orders.text()]

        return command

    try:
        if settings.metrics is not None:
            admin_address(settings.metrics)
        code = asyncio.run(supervise(settings, settings.server.workers, starts, on_ready=announce))
    except AddressUnusable as error:
        fail(f"{named}: {error}")
    if code:
        raise typer.Exit(code)


def _flags() -> list[str]:
    """Python's own, so far as they matter: modules are looked for in the working folder only if they are here, too."""
    found = [] if sys.path[:1] == [os.getcwd()] else ["-P"]
    return found + ["-O"] * sys.flags.optimize
