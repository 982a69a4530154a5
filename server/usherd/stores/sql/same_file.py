"""Knows the file of an SQLite from any other that takes its place.

Whoever has a file open goes on reading and writing it after it was deleted or replaced: a block would be acknowledged,
and be gone with the process; another process would never hear of it.
"""

from __future__ import annotations

import os

from usherd.errors import DirectoryUnavailable
from usherd.stores.sql.unusable import Failure


class SameFile:
    """The file that is at a path now."""

    def __init__(self, path: str) -> None:
        """Raises OSError when there is none."""
        self._path = path
        self._known = _identity(path)

    def check(self) -> None:
        """Raises DirectoryUnavailable unless it is there still. It takes some microseconds, and never waits."""
        try:
            same = _identity(self._path) == self._known
        except OSError:
            same = False
        if not same:
            raise DirectoryUnavailable from Failure(
                "the database's file was deleted or replaced; expected a restart, or that file"
            )


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
