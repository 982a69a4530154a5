"""Remembers what questions were answered with, by their encoding: most are asked again and again.

A verdict stands as long as nothing has changed that it depends on, which the directory's history says; whether the
token still is genuine, and still means the same holder, is to be asked before each use.
"""

from __future__ import annotations

from typing import NamedTuple

from usherd.authenticate.digest_cache import DigestCache
from usherd.history import History, Standing
from usherd.judge import Genuine
from usherd.ports import Facts

MAX_ENCODED = 16_384
"""Bytes of a question that is remembered: its digest must cost less than to find the answer anew."""


class KnownAnswer(NamedTuple):
    """A verdict, and whose it is. The token is known by its digest: what is remembered of it has its own bounds."""

    token_digest: bytes
    holder: Genuine
    standing: Standing


class KnownAnswers:
    """The most recently used ones, at most `size` (0: none), all by one policy and of one directory's history.

    The encodings themselves are not kept: there are tokens in them.
    """

    def __init__(self, size: int) -> None:
        self._cache: DigestCache[KnownAnswer] = DigestCache(size, "")
        self._history: History | None = None

    def key(self, encoded: bytes) -> bytes | None:
        """What the question of that encoding is known by; None: it is too long to be known."""
        return None if len(encoded) > MAX_ENCODED else self._cache.digest(encoded)

    def get(self, key: bytes | None, facts: Facts) -> KnownAnswer | None:
        """What the question of that key was answered with, if that stands by these facts."""
        if facts.history is not self._history:
            self._begin_anew(facts)
            return None
        known = None if key is None else self._cache.get(key)
        return known if known is not None and known.standing.holds(facts.history, facts.revision) else None

    def put(self, key: bytes | None, answer: KnownAnswer, facts: Facts) -> None:
        """Remembers an answer to the question of that key, which stands by these facts."""
        if facts.history is not self._history:
            self._begin_anew(facts)
        if key is not None:
            self._cache.put(key, answer)

    def _begin_anew(self, facts: Facts) -> None:
        self._cache.clear()
        self._history = facts.history

    def __len__(self) -> int:
        return len(self._cache)
