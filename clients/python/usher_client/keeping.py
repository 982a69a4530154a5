"""What a client's cache of decisions is asked for with, and what it tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_ENTRIES: Final = 10_000
"""What one stream of subscriptions takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCache:
    """Asks a client to answer from memory what it has been told, for as long as it has not been told otherwise.

    `AsyncClient(target, cache=DecisionCache())`: decisions are kept true by the server on one stream, denials as well
    as allowances, and nothing is answered from memory once the stream is lost, or silent for longer than the server
    promised. `docs/clients.md` has all rules. Raises ValueError for a bound outside of 1 to 10,000.
    """

    max_entries: int = MAX_ENTRIES
    """Decisions that are kept at most, 1 to 10,000; the least recently used goes first."""

    def __post_init__(self) -> None:
        if (
            isinstance(self.max_entries, bool)
            or not isinstance(self.max_entries, int)
            or not 1 <= self.max_entries <= MAX_ENTRIES
        ):
            raise ValueError(f"max_entries: expected a whole number from 1 to {MAX_ENTRIES}")


def check_cache(cache: object) -> None:
    """Raises TypeError for what neither asks for a cache nor for none."""
    if cache is not None and not isinstance(cache, DecisionCache):
        raise TypeError("cache: expected a DecisionCache, such as DecisionCache(max_entries=10_000), or None")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatistics:
    """What a cache of decisions has done since its client was made; `entries` is what it holds now."""

    entries: int = 0
    """Decisions at hand."""
    hits: int = 0
    """Questions that were answered from memory."""
    misses: int = 0
    """Questions that were not, whichever way they were asked then."""
    asked_by_itself: int = 0
    """Of those: asked with a call of their own, and not kept."""
    evicted: int = 0
    """Decisions that went to make room for others."""
    changed: int = 0
    """Decisions that the server replaced by another."""
    ended: int = 0
    """Decisions that the server ended for good."""
    streams_lost: int = 0
    """Streams that were open and ended, however that came about; silences among them."""
    silences: int = 0
    """Streams that were silent for longer than the server had promised."""
