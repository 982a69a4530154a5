"""Writes configurations for tests, and says what is wrong with them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from usherd.config.load import load
from usherd.config.problems import ConfigError
from usherd.config.settings import Settings

ISSUER = """\
issuers:
  - name: idp
    issuer: https://idp.example
    audiences: [api://gateway]
    keys: {discovery: true}
"""
TWO_ISSUERS = (
    ISSUER
    + """\
  - name: other
    issuer: https://other.example
    audiences: [api://gateway]
    keys: {jwks_url: https://other.example/keys}
"""
)


def settings(
    folder: Path, text: str, *, directory: str | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings of a file with that text, and a directory file beside it."""
    file = folder / "usherd.yaml"
    file.write_text(textwrap.dedent(text), "utf-8")
    if directory is not None:
        (folder / "directory.yaml").write_text(textwrap.dedent(directory), "utf-8")
    return load(file, environment or {})


def problems(
    folder: Path, text: str, *, directory: str | None = None, environment: Mapping[str, str] | None = None
) -> list[str]:
    """Every problem of such a file, without the folder."""
    try:
        settings(folder, text, directory=directory, environment=environment)
    except ConfigError as error:
        return [str(problem).replace(f"{folder}/", "") for problem in error.problems]
    return []
