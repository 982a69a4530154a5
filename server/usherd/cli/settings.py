"""Loads the configuration that a command names, or ends the command with everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

from usherd.cli.console import fail
from usherd.config.load import load
from usherd.config.problems import ConfigError
from usherd.config.settings import Settings


def settings_of(file: Path) -> Settings:
    """The configuration in that file; what is wrong with it goes to standard error, with exit code 2."""
    try:
        return load(file)
    except ConfigError as error:
        fail(str(error))
