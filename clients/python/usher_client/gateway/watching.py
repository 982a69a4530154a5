"""Waits until a request that lasts is allowed no longer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from usher_client.decision import Decision
from usher_client.events import Expiring, Unknown
from usher_client.faults import UsherFault
from usher_client.gateway.asks import Watching
from usher_client.gateway.telling import Telling

PATIENCE: Final = 5.0
"""Seconds in which a watch must get its first decision. The one that let the request pass is as old then."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0

_log: Final = logging.getLogger("usher_client")


class Watched:
    """One question, asked again for as long as its request lasts."""

    def __init__(self, opened: Callable[[float], Watching], deadline: float, telling: Telling) -> None:
        """`opened` opens a watch whose first decision may take so many seconds, `deadline` at most."""
        self._opened = opened
        self._deadline = deadline
        self._telling = telling

    async def not_allowed(self) -> Decision | None:
        """Returns once it is not allowed: with the denial, or None when that is unknown."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + PATIENCE, _FIRST_PAUSE
        while True:
            try:
                return await self._once(min(self._deadline, max(0.001, end - loop.time())))
            except UsherFault as fault:
                if loop.time() + pause > end:
                    self._telling.cut(fault)
                    return None
            except Exception as error:
                _log.error("not watched: %s", type(error).__name__)
                return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _once(self, patience: float) -> Decision | None:
        watch = self._opened(patience)
        try:
            event = await watch.not_allowed()
        finally:
            await watch.close()
        if isinstance(event, Unknown):
            self._telling.cut(event.fault)
        return None if isinstance(event, Unknown | Expiring) else event.decision
