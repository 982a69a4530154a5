"""Loads the configuration that a command names, and opens the house by it, or ends the command with what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from usherd.cli.console import fail
from usherd.config.problems import ConfigError

if TYPE_CHECKING:
    from usherd.config.settings import Settings
    from usherd.house import House


@asynccontextmanager
async def opened_here(settings: Settings) -> AsyncIterator[House]:
    """The house in this process, for one command: only what goes wrong is logged, to standard error.

    Keys or a database that cannot be used end the command.
    """
    # Only now: the house brings gRPC with it, which takes longer to import than most commands to run.
    from usherd.house import opened
    from usherd.stores.key_sets import GivenKeysUnusable
    from usherd.stores.sql.unusable import DatabaseUnusable
    from usherd.telemetry import log

    log.configure(level="warning")
    try:
        async with opened(settings) as house:
            yield house
    except (GivenKeysUnusable, DatabaseUnusable) as error:
        fail(str(error))


def settings_of(file: Path) -> Settings:
    """The configuration in that file; what is wrong with it goes to standard error, with exit code 2."""
    # Only now: what reads a configuration takes longer to import than most commands to run.
    from usherd.config.load import load

    try:
        return load(file)
    except ConfigError as error:
        fail(str(error))
