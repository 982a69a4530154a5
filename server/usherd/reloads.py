"""Notices that the configuration may have changed, and has it read again: at SIGHUP, and when a file is another one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from usherd.config.settings import Settings
from usherd.config.shown import changes
from usherd.moving import Moving, Refused

_ONLY_AT_START = ("server.", "log")
"""Keys that take effect when the server starts."""

_log = structlog.stdlib.get_logger("usherd.app")


class Reloads:
    """Reloads, one at a time, while the block lasts."""

    def __init__(self, moving: Moving, load: Callable[[], Settings] | None, begin: Callable[[], None]) -> None:
        """`load` and `begin` as `Moving.move` takes them; without `load` nothing is ever read again."""
        self._moving = moving
        self._load = load
        self._begin = begin
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        self._seen = self._now = _fingerprints(moving.settings.files)

    def __enter__(self) -> Self:
        if self._load is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._want)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._load is not None:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        if self._task is not None:
            self._task.cancel()

    def _want(self) -> None:
        self._wanted = True

    def look(self) -> None:
        """Begins a reload if one is due. A file that is being written is read once two looks have found it the same."""
        if self._load is None or (self._task is not None and not self._task.done()):
            return
        before, self._now = self._now, _fingerprints(self._moving.settings.files)
        settled = self._now == before and self._now != self._seen
        if self._wanted or settled:
            self._wanted, self._seen = False, self._now
            self._task = asyncio.create_task(self._reload(self._load), name="reload")

    async def _reload(self, load: Callable[[], Settings]) -> None:
        before = self._moving.settings
        try:
            await self._moving.move(load, self._begin)
        except Refused as refused:
            for each in refused.problems:
                # The folder is left out: a long one looks like a token to those who keep tokens out of the log.
                _log.error("reload_refused", file=Path(each.file).name, line=each.line, key=each.key, problem=each.text)
            return
        except Exception as bug:
            # Whatever it was, the configuration in force stays; the text of an exception may hold anything.
            _log.error("reload_failed", error=type(bug).__name__)
            return
        now = self._moving.settings
        self._seen = self._now = _fingerprints(now.files)
        keys = [change.key for change in await asyncio.to_thread(changes, before, now)]
        late = [key for key in keys if key.startswith(_ONLY_AT_START)]
        if late:
            _log.warning("reload_needs_restart", keys=", ".join(late))
        _log.info("reloaded", policy=now.policy.digest[:16], changed=len(keys) - len(late))


def _fingerprints(files: Sequence[Path]) -> tuple[tuple[int, int, int] | None, ...]:
    """What tells one content of each file from another, as far as that is seen without reading; None: not there."""
    return tuple(map(_fingerprint, files))


def _fingerprint(file: Path) -> tuple[int, int, int] | None:
    try:
        # Through links: a mounted configuration is changed by turning one to another folder.
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
