"""Asks the operator's own check: a function of theirs, on the claims of each genuine token."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from usherd.ports import Stopwatch

TOLD_EVERY = 60.0
"""Seconds between two complaints about a slow check, at least."""


class HookExited(Exception):
    """The check tried to end the process."""


@dataclass(frozen=True, slots=True)
class HookCounts:
    """What was seen of a check so far."""

    calls: int = 0
    failures: int = 0
    """Calls without an answer: the check raised, or took too long."""
    slow: int = 0
    """Calls that took longer than the timeout, answered or not."""
    slowest: float = 0.0
    """Seconds of the longest call."""


class OperatorHook:
    """A `ports.Hook`. What the check awaits is cut off at the timeout; what it computes cannot be, and is counted.

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
        self.counts = HookCounts()
        self._call = call
        self._timeout = timeout
        self._stopwatch = stopwatch
        self._on_slow = on_slow
        self._told_at: float | None = None

    async def __call__(self, claims: Mapping[str, object]) -> bool:
        """Whether the check answers true, and nothing else. Raises whatever it raises, TimeoutError, HookExited."""
        began = self._stopwatch()
        answered = False
        try:
            answer = self._call(claims)
            if inspect.isawaitable(answer):
                async with asyncio.timeout(self._timeout):
                    answer = await answer
            answered = True
            return answer is True
        except SystemExit:
            # It would end the process, and with it every answer that is being made.
            raise HookExited from None
        finally:
            self._count(self._stopwatch() - began, answered=answered)

    def _count(self, seconds: float, *, answered: bool) -> None:
        counts, is_slow = self.counts, seconds > self._timeout
        self.counts = HookCounts(
            calls=counts.calls + 1,
            failures=counts.failures + (not answered),
            slow=counts.slow + is_slow,
            slowest=max(counts.slowest, seconds),
        )
        now = self._stopwatch()
        if is_slow and (self._told_at is None or now - self._told_at >= TOLD_EVERY):
            self._told_at = now
            self._on_slow(seconds)
