"""The client that a middleware asks: one that it was given, or one of its own for the event loop that it runs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from usher_client.aio import AsyncClient
from usher_client.channels import check_target
from usher_client.gateway.asks import Asks

Usherd = str | AsyncClient | Asks | Callable[[], AsyncClient | Asks]
"""A target on this machine, a client, or a function that opens one."""


class Connection:
    """Opens a client when it is first needed: one that is opened while a program is loaded would belong to no loop."""

    def __init__(self, usherd: Usherd) -> None:
        self._given: Asks | None = None
        self._open: Callable[[], Asks]
        if isinstance(usherd, str):
            check_target(usherd, None, False)
            target = usherd
            self._open = lambda: cast(Asks, AsyncClient(target))
        elif callable(usherd):
            self._open = cast("Callable[[], Asks]", usherd)
        else:
            self._given = cast(Asks, usherd)
        self._own: Asks | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def client(self) -> Asks:
        """The client to ask."""
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if self._own is None or self._loop is not loop:
            self._own, self._loop = self._open(), loop
        return self._own

    async def close(self) -> None:
        """Closes the client that it opened, if any; a later question opens another."""
        own, self._own = self._own, None
        if own is not None and self._loop is asyncio.get_running_loop():
            await own.close()
