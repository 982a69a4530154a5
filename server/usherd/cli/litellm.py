"""Commands that take LiteLLM's configuration in the place of usherd's: their options, and how it is loaded."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usherd.cli.console import fail, warn
from usherd.cli.settings import settings_of
from usherd.config.problems import ConfigError

if TYPE_CHECKING:
    from usherd.config.litellm import Imported
    from usherd.config.settings import Settings


class LitellmVersion(StrEnum):
    """Versions of LiteLLM whose configurations are read."""

    REFERENCE = "1.63"
    LATEST = "latest"


Litellm = Annotated[
    Path | None, typer.Option("--litellm-config", help="LiteLLM's config.yaml, in the place of --config.")
]
Directory = Annotated[Path | None, typer.Option("--directory", help="A directory file, beside --litellm-config.")]
Version = Annotated[
    LitellmVersion, typer.Option("--litellm-version", help="The LiteLLM that the file is for: 1.63 or latest.")
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="A key of LiteLLM's that restricts access and may be left out; may be given again."),
]


def imported(file: Path, version: LitellmVersion, ignore: list[str] | None) -> Imported:
    """LiteLLM's configuration as one of usherd's, in memory; notes go to standard error.

    What is wrong with it goes there, too, with exit code 2.
    """
    # Only now, as in `settings_of`.
    from usherd.config.litellm import files

    try:
        found = files.import_file(file, os.environ, version=version.value, ignore=ignore or ())
    except ConfigError as error:
        fail(str(error))
    for note in found.notes:
        warn(note)
    return found


def checked(found: Imported, file: Path, directory: Path | None = None) -> Settings:
    """The settings of an imported configuration; what is wrong with them goes to standard error, with exit code 2."""
    try:
        return _settings(found, file, directory)
    except ConfigError as error:
        fail(str(error))


def loaded(
    config: Path | None,
    litellm: Path | None,
    directory: Path | None,
    version: LitellmVersion,
    ignore: list[str] | None,
) -> Settings:
    """The settings by the one of both files that is given. Raises ConfigError."""
    from usherd.config.litellm import files
    from usherd.config.load import load

    if litellm is None:
        if config is None:
            raise ValueError("expected a file")
        return load(config)
    return _settings(
        files.import_file(litellm, os.environ, version=version.value, ignore=ignore or ()), litellm, directory
    )


def _settings(found: Imported, file: Path, directory: Path | None) -> Settings:
    from usherd.config.document import read_document
    from usherd.config.litellm import files

    people = None if directory is None else read_document(directory)
    return files.settings_of(found, file, os.environ, people=people)


def chosen_settings(
    config: Path | None,
    litellm: Path | None,
    directory: Path | None,
    version: LitellmVersion,
    ignore: list[str] | None,
) -> Settings:
    """The settings by either file. Wrong usage ends the command with exit code 2, as `settings_of` does."""
    if litellm is not None and config is None:
        return checked(imported(litellm, version, ignore), litellm, directory)
    if config is None or litellm is not None:
        fail("expected either --config or --litellm-config")
    if directory is not None or ignore:
        fail("--directory and --ignore are for --litellm-config; expected the directory in the configuration itself")
    return settings_of(config)
