"""Serves usher.v1.DirectoryService: every method by name, under its deadline and its share of the server's work."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from usherd.calls import Call
from usherd.rpc import names
from usherd.rpc.deadline import Answer, bounded
from usherd.rpc.directory.crud import Crud
from usherd.rpc.directory.edits import Edits
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.nouns import NOUNS
from usherd.rpc.directory.usage import Usages
from usherd.rpc.directory.watch import WatchChanges
from usherd.rpc.guard import Serve
from usherd.rpc.health import Readiness
from usherd.rpc.limits import Gate, Limits

_SILENT = ("Get", "List", "RecordUsage")
"""What the log does not tell: reading, and what is spent all the time."""

_log = logging.getLogger("usherd.rpc")


class DirectoryService:
    """The methods, each from bytes to bytes, and the stream."""

    def __init__(self, kept: KeptDirectory, *, limits: Limits, gate: Gate, readiness: Readiness) -> None:
        """`gate` bounds how much of this is done at a time; `readiness` says when the server ends."""
        self._limits = limits
        self._gate = gate
        self._watch = WatchChanges(kept, readiness, watchers=limits.watchers)
        self._methods: Mapping[str, Answer] = {
            **{name: answer for noun in NOUNS for name, answer in Crud(noun, kept).methods().items()},
            "ApplyEdits": Edits(kept).apply,
            **Usages(kept).methods(),
        }

    def handlers(self) -> dict[str, Serve]:
        """The handler of each method with one answer, by full name."""
        return {
            f"/{names.DIRECTORY}/{name}": bounded(self._inside(name, answer), self._limits.management_deadline)
            for name, answer in self._methods.items()
        }

    def streaming(self) -> dict[str, Serve]:
        """The handler of each method that streams, by full name."""
        return {f"/{names.DIRECTORY}/WatchChanges": self._watch.serve}

    def _inside(self, name: str, answer: Answer) -> Answer:
        told = not name.startswith(_SILENT)

        async def inside(data: bytes, call: Call, seconds: float) -> bytes:
            await self._gate.enter(1)
            try:
                answered = await answer(data, call, seconds)
            finally:
                self._gate.leave(1)
            if told:
                _log.info("directory_changed", extra={"method": call.method, "caller": call.caller})
            return answered

        return inside
