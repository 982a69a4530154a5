"""Writes lines behind the back of those who have them: a bounded queue, and one thread that empties it in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from usherd.seldom import Seldom
from usherd.telemetry.line_file import LineFile, LineFileUnusable

PACE = 0.05
"""Seconds in which lines are gathered before they are written together."""
AGAIN_AFTER = 1.0
"""Seconds after which what could not be written is tried again."""
TOLD_EVERY = 60.0
"""Seconds between two lines in the log about the same trouble."""
MAX_BATCH = 1000
"""Lines written at a time."""

_log = logging.getLogger("usherd.decisions")


class LineWriter:
    """The queue and its thread. `put`, `drop` and `full` are for one thread, which never waits for the disk."""

    def __init__(self, file: LineFile, size: int) -> None:
        """`size` is how many lines may wait. Raises LineFileUnusable when the file cannot be opened."""
        self._file = file
        self._size = size
        self._waiting: deque[bytes] = deque()
        self._batch = b""
        self._written_of_batch = 0
        self._lines_of_batch = 0
        self._wake, self._closing = threading.Event(), threading.Event()
        self._anew = False
        # One for each thread.
        self._failures_told = Seldom(time.monotonic, TOLD_EVERY)
        self._drops_told = Seldom(time.monotonic, TOLD_EVERY)
        self._dropped_told = 0
        self.healthy = True
        """Whether the last attempt to write succeeded."""
        self.written = 0
        """Lines that the operating system has taken over."""
        self.dropped = 0
        """Lines that there was no room for, and those that were left at the end."""
        file.open()
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether there is no room for another line."""
        return len(self._waiting) + self._lines_of_batch >= self._size

    def put(self, line: bytes) -> None:
        """Takes a line, with its newline. It is there for `full` to be asked first."""
        self._waiting.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def drop(self) -> None:
        """Counts a line that was not taken, and says so in the log at most once a minute."""
        self.dropped += 1
        if self._drops_told.is_due():
            self._tell_drops()

    def open_anew(self) -> None:
        """Has the file opened again before the next line."""
        self._anew = True
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Writes what waits, for so many seconds at most; what is left then is dropped, and the log says so."""
        self._closing.set()
        self._wake.set()
        self._thread.join(seconds)
        self.dropped += len(self._waiting) + self._lines_of_batch
        if self.dropped > self._dropped_told:
            self._tell_drops()
        if not self._thread.is_alive():
            self._file.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(PACE)
            # Cleared before the queue is looked at: a line that comes later sets it again.
            self._wake.clear()
            while not self._drained() and not self._closing.is_set():
                self._closing.wait(AGAIN_AFTER)
        self._drained()

    def _drained(self) -> bool:
        """Writes all that waits. False: it could not, and nothing of it is lost."""
        try:
            if self._anew:
                self._open()
            while self._batch or self._waiting:
                self._write()
        except LineFileUnusable as unusable:
            self._failed(str(unusable))
            return False
        except Exception as bug:
            # Whatever it is, this thread must go on, and nobody may take its lines for written.
            self._failed(type(bug).__name__)
            return False
        if not self.healthy:
            self.healthy = True
            self._failures_told.forget()
            _log.warning("decision_log_recovered", extra={"dropped": self.dropped})
        return True

    def _write(self) -> None:
        if not self._batch:
            # Counted before they are taken: in between, `full` counts some twice rather than not at all.
            self._lines_of_batch = min(len(self._waiting), MAX_BATCH)
            self._batch = b"".join([self._waiting.popleft() for _ in range(self._lines_of_batch)])
            self._written_of_batch = 0
        if self._file.is_elsewhere():
            self._open()
        rest = memoryview(self._batch)
        while self._written_of_batch < len(rest):
            self._written_of_batch += self._file.write(rest[self._written_of_batch :])
        self.written += self._lines_of_batch
        self._batch, self._lines_of_batch = b"", 0

    def _open(self) -> None:
        # What was written of a line that is not complete stays in the other file: the line is written anew.
        self._written_of_batch = self._batch.rfind(b"\n", 0, self._written_of_batch) + 1
        self._file.open()
        self._anew = False

    def _failed(self, why: str) -> None:
        self.healthy = False
        if self._failures_told.is_due():
            _log.error("decision_log_failed", extra={"why": why, "waiting": len(self._waiting) + self._lines_of_batch})

    def _tell_drops(self) -> None:
        _log.error("decision_log_dropped", extra={"dropped": self.dropped - self._dropped_told})
        self._dropped_told = self.dropped
