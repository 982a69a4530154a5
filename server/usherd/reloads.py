"""Notices that the configuration may have changed, and has it read again: at SIGHUP, and when a file is another one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import structlog

from usherd.config.problems import Problem
from usherd.config.read_files import Stamp, recorded, stamp
from usherd.config.settings import Settings
from usherd.config.shown import changes
from usherd.moving import Moving, Refused

AGAIN_AFTER = 15
"""Looks after which a refused configuration is tried again: a provider may be back, or what it names may be there."""

_ONLY_AT_START = ("server.", "log", "decision_log", "traces", "metrics", "store", "sessions", "envoy")
"""Keys that take effect when the server starts, but for those below."""
_AT_ONCE = frozenset({"server.explanations", "server.health"})

_log = structlog.stdlib.get_logger("usherd.app")


def takes_a_start(key: str) -> bool:
    """Whether a key of `config.shown` takes effect only when the server starts."""
    return key.startswith(_ONLY_AT_START) and key not in _AT_ONCE


class Source(NamedTuple):
    """Where the configuration comes from."""

    load: Callable[[], Settings]
    """Reads it anew. Raises ConfigError."""
    files: Mapping[Path, Stamp | None]
    """What the one in force was read from, as `read_files.recorded` gives it."""


class Reloads:
    """Reloads, one at a time, while the block lasts."""

    def __init__(
        self,
        moving: Moving,
        source: Source | None,
        begin: Callable[[], None],
        *,
        signalled: Callable[[], None] = lambda: None,
        on_end: Callable[[int], None] = lambda problems: None,
    ) -> None:
        """`begin` as `Moving.move` takes it; `signalled` is called at each SIGHUP, whatever comes of the reload, and
        `on_end` with the number of problems that one was refused for; 0: it was not refused.

        Without a source nothing is ever read again.
        """
        self._moving = moving
        self._source = source
        self._begin = begin
        self._signalled = signalled
        self._on_end = on_end
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        self._read = dict(source.files) if source is not None else {}
        self._now = self._read
        self._refused: tuple[Problem, ...] = ()
        self._looks = 0

    def __enter__(self) -> Self:
        if self._source is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.want)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._source is not None:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if self._task is not None:
            self._task.cancel()

    def want(self) -> None:
        """Has the configuration read again at the next look, as SIGHUP does."""
        self._wanted = True
        self._signalled()

    def look(self) -> None:
        """Begins a reload if one is due. A file that is being written is read once two looks have found it the same."""
        if self._source is None or (self._task is not None and not self._task.done()):
            return
        before, self._now = self._now, {file: stamp(file) for file in self._read}
        settled = self._now == before and self._now != self._read
        self._looks += 1
        if self._wanted or settled or (self._refused and self._looks % AGAIN_AFTER == 0):
            wanted, self._wanted = self._wanted, False
            self._task = asyncio.create_task(self._reload(self._source.load, self._now, wanted), name="reload")

    async def _reload(self, load: Callable[[], Settings], now: Mapping[Path, Stamp | None], wanted: bool) -> None:
        before = self._moving.settings
        problems: tuple[Problem, ...] = ()
        with recorded(regular_only=True) as files:
            try:
                await self._moving.move(load, self._begin)
            except Refused as refused:
                problems = refused.problems
            except Exception as bug:
                # Whatever it was, the configuration in force stays; the text of an exception may hold anything.
                problems = (Problem("", 0, "", f"cannot be loaded ({type(bug).__name__})"),)
        # What a refusal left unread is watched as it is now, so that it does not look changed for ever.
        self._now = self._read = {**now, **files} if problems else files
        known, self._refused = self._refused, problems
        self._on_end(len(problems))
        if problems:
            # Who asks is answered; what is only looked at again and again is told once.
            if wanted or problems != known:
                _tell(problems)
            return
        after = self._moving.settings
        keys = [change.key for change in await asyncio.to_thread(changes, before, after)]
        late = [key for key in keys if takes_a_start(key)]
        if late:
            _log.warning("reload_needs_restart", keys=", ".join(late))
        _log.info("reloaded", policy=after.policy.digest[:16], changed=len(keys) - len(late))


def _tell(problems: tuple[Problem, ...]) -> None:
    for each in problems:
        # The folder is left out: a long one looks like a token to those who keep tokens out of the log.
        _log.error("reload_refused", file=Path(each.file).name, line=each.line, key=each.key, problem=each.text)
