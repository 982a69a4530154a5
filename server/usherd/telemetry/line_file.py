"""A file that lines are added to, or standard output: whole lines, however often the file is moved away."""

from __future__ import annotations

import os
import select
import stat
import sys
from pathlib import Path

MODE = 0o600
"""Of a file that is made here. One that is there keeps what its owner gave it."""


_AT_ONCE = select.PIPE_BUF
"""Bytes that go into a pipe in one piece, whoever else writes to it."""


class LineFileUnusable(Exception):
    """It cannot be written. The text says why, and holds nothing of what was to be written."""


class LineFile:
    """Where lines go. Used by one thread at a time; every method may block on the disk."""

    def __init__(self, path: Path | None) -> None:
        """None: standard output."""
        self._path = path
        self._open: int | None = None

    def open(self) -> None:
        """Opens it, or opens it anew. Raises LineFileUnusable."""
        if self._path is None:
            self._open = sys.stdout.fileno()
            return
        try:
            # Without O_NONBLOCK, a pipe that nobody reads from would be waited for.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            opened = os.open(self._path, flags, MODE)
        except OSError as error:
            raise LineFileUnusable(error.strerror or "cannot be opened") from None
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise LineFileUnusable("is no regular file")
        self.close()
        self._open = opened
        if _is_torn(self._path):
            self.write(b"\n")

    def is_elsewhere(self) -> bool:
        """Whether the file that is open is no longer the one of that name: it was moved away, or taken away."""
        if self._path is None or self._open is None:
            return self._open is None
        try:
            there, here = os.stat(self._path), os.fstat(self._open)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)

    def write(self, data: bytes | memoryview) -> int:
        """Writes at least one byte; how many. Raises LineFileUnusable.

        Lines stay whole where other processes write, too: to a file the kernel adds all of it in one piece, and into
        standard output, which may be a pipe, go as many whole lines at a time as it takes in one.
        """
        if self._path is None and len(data) > _AT_ONCE:
            data = data[: bytes(data[:_AT_ONCE]).rfind(b"\n") + 1] or data
        try:
            return os.write(-1 if self._open is None else self._open, data)
        except OSError as error:
            raise LineFileUnusable(error.strerror or "cannot be written") from None

    def close(self) -> None:
        """Closes a file. Standard output is not ours to close."""
        if self._path is not None and self._open is not None:
            os.close(self._open)
            self._open = None


def check_writable(path: Path) -> None:
    """What can be known before it is opened. Raises LineFileUnusable."""
    if path.exists():
        if not path.is_file():
            raise LineFileUnusable("is no regular file")
        if not os.access(path, os.W_OK):
            raise LineFileUnusable("may not be written")
    elif not path.parent.is_dir():
        raise LineFileUnusable("its folder is not there")
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        raise LineFileUnusable("may not be made in its folder")


def _is_torn(path: Path) -> bool:
    """Whether it ends within a line: whoever wrote it was ended there. False where it may not be read."""
    try:
        with path.open("rb") as file:
            return file.seek(0, os.SEEK_END) > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
    except OSError:
        return False
