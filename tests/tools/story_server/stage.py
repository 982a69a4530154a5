"""The real gRPC server, and whose world it answers for."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from tools.rpc_world import running
from usherd.rpc.hub_life import new_hub
from usherd.rpc.limits import Limits
from usherd.rpc.server import Serving
from usherd.shadow import Answering
from usherd.stores.memory_directory import MemoryDirectory
from usherd.watch.hub import Hub

PATIENCE = 1.0
"""Seconds for which a fault may keep a living decision from being looked at again."""
SILENCE = (0.03, 60.0)
"""Seconds of `max_silence` that can be asked for."""


class Stage:
    """One world at a time."""

    def __init__(self, server: Serving, hub: Hub) -> None:
        self._server = server
        self.hub = hub
        self._bounds = hub.bounds
        self._unlisten: Callable[[], None] = lambda: None

    @property
    def address(self) -> str:
        """Of the gRPC server."""
        return self._server.address

    def show(
        self,
        authorizer: Answering,
        directory: MemoryDirectory,
        clock: Callable[[], float],
        *,
        silence: float | None = None,
    ) -> None:
        """From now on questions are for this world, and living decisions hear of its changes.

        `silence` is the `max_silence` that streams are told, in seconds; that of the server unless given. Raises
        ValueError.
        """
        if silence is not None and not SILENCE[0] <= silence <= SILENCE[1]:
            raise ValueError(f"silence: expected {SILENCE[0]} to {SILENCE[1]} seconds")
        self._unlisten()
        hub = self.hub
        hub.clock = clock
        hub.bounds = self._bounds if silence is None else replace(self._bounds, checkpoint_every=silence / 3)
        self._unlisten = directory.listen(hub.hear)
        self.answer_with(authorizer)

    def answer_with(self, authorizer: Answering) -> None:
        """As `Serving.answer_with`: every living decision is looked at again."""
        self._server.answer_with(authorizer)
        self.hub.look()


@asynccontextmanager
async def opened_stage(checkpoint_every: float) -> AsyncIterator[Stage]:
    """A server that knows nobody yet."""
    limits = Limits(checkpoint_every=checkpoint_every, max_staleness=PATIENCE)
    hub = new_hub(limits)
    hub.clock = time.time
    async with running(limits=limits, hub=hub) as server:
        yield Stage(server, hub)
