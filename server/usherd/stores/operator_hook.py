"""Asks the operator's own check: a function of theirs, on the claims of each genuine token."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping

from usherd.ports import Stopwatch
from usherd.seldom import Seldom

TOLD_EVERY = 60.0
"""Seconds between two complaints about a slow check, at least."""


class HookExited(Exception):
    """The check tried to end the process."""


class OperatorHook:
    """A `ports.Hook`. What the check awaits is cut off at the timeout; what it computes cannot be, and is told.

    A check that computes holds up every other question meanwhile, so it should be short, or await.
    """

    def __init__(
        self,
        call: Callable[[Mapping[str, object]], object],
        *,
        timeout: float,
        pure: bool,
        stopwatch: Stopwatch,
        on_slow: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`timeout` in seconds. `on_slow` hears how long a call took beyond it, once in `TOLD_EVERY` at most."""
        self.pure = pure
        """Whether equal claims always give equal answers, so that an answer may be remembered."""
        self._call = call
        self._timeout = timeout
        self._stopwatch = stopwatch
        self._on_slow = on_slow
        self._seldom = Seldom(stopwatch, TOLD_EVERY)

    async def __call__(self, claims: Mapping[str, object]) -> bool:
        """Whether the check answers true, and nothing else. Raises whatever it raises, TimeoutError, HookExited."""
        began = self._stopwatch()
        try:
            answer = self._call(claims)
            if inspect.isawaitable(answer):
                async with asyncio.timeout(self._timeout):
                    answer = await answer
            return answer is True
        except SystemExit:
            # It would end the process, and with it every answer that is being made.
            raise HookExited from None
        finally:
            self._tell_if_slow(began)

    def _tell_if_slow(self, began: float) -> None:
        now = self._stopwatch()
        if now - began > self._timeout and self._seldom.is_due():
            self._on_slow(now - began)
