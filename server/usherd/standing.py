"""Remembers what questions were answered with, by the bytes that they came in: most are asked again and again.

An answer stands as long as everything does that it depends on. The directory's state is the same for all that are
remembered here; whether the token still is genuine, must be asked before each use.
"""

from __future__ import annotations

from typing import NamedTuple

from usherd.authenticate.token_cache import CachedToken
from usherd.digest_cache import DigestCache
from usherd.domain import Verdict
from usherd.judge import Genuine
from usherd.ports import Facts

MAX_SAID = 16_384
"""Bytes of a question that is remembered: its digest must cost less than to find the answer anew."""


class Standing(NamedTuple):
    """A verdict, and whose it is."""

    token: CachedToken
    holder: Genuine
    verdict: Verdict


class StandingVerdicts:
    """The most recently used ones, at most `size` (0: none); all by one state of the directory and one policy.

    The bytes themselves are not kept: there is a token in them.
    """

    def __init__(self, size: int) -> None:
        self._cache: DigestCache[Standing] = DigestCache(size, "")
        self._facts: Facts | None = None
        """What all of them were judged by. One object: what is remembered must not keep old directories alive."""

    def get(self, said: bytes, facts: Facts) -> Standing | None:
        """What the question in these bytes was answered with."""
        if facts is not self._facts or len(said) > MAX_SAID:
            return None
        return self._cache.get(self._cache.digest(said))

    def put(self, said: bytes, standing: Standing, facts: Facts) -> None:
        """Remembers an answer to the question in these bytes, unless they are too many."""
        if len(said) > MAX_SAID:
            return
        if facts is not self._facts:
            self._cache.clear()
            self._facts = facts
        self._cache.put(self._cache.digest(said), standing)

    def __len__(self) -> int:
        return len(self._cache)
