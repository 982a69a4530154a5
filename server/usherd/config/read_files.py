"""Remembers which files a configuration was read from, and what they were then, to know when they are others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from usherd.config.problems import ConfigError, Problem


class Stamp(NamedTuple):
    """What tells one content of a file from another, as far as that is seen without reading it."""

    modified: int
    """Nanoseconds since the epoch."""
    size: int
    inode: int


class _Reading(NamedTuple):
    files: dict[Path, Stamp | None]
    regular_only: bool


_reading: ContextVar[_Reading | None] = ContextVar("reading", default=None)


@contextmanager
def recorded(*, regular_only: bool = False) -> Iterator[dict[Path, Stamp | None]]:
    """The files that are read within the block, each as it was before that; None: it was not there.

    `regular_only`: what is no regular file is not opened, because that may take for ever (ConfigError).
    """
    files: dict[Path, Stamp | None] = {}
    before = _reading.set(_Reading(files, regular_only))
    try:
        yield files
    finally:
        _reading.reset(before)


def about_to_read(file: Path) -> None:
    """Whoever reads a file of the configuration says so first. Raises ConfigError as `recorded` says."""
    reading = _reading.get()
    if reading is None:
        return
    # The first time counts: what has changed since then was perhaps not what the rest was read with.
    reading.files.setdefault(file, stamp(file))
    if reading.regular_only and file.exists() and not file.is_file():
        raise ConfigError([Problem(str(file), 0, "", "is no regular file")])


def stamp(file: Path) -> Stamp | None:
    """What the file is now; None: it is not there. Through links: mounts change by turning one to another folder."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)
