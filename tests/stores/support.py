"""What the tests of stores share: clocks that stand still until told otherwise, and settings of issuers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from keyring import ALGORITHMS, NOW
from usherd.stores.key_sets import KeySets
from usherd.stores.key_sources import IssuerKeys, KeySetUrls, KeySource, Refresh
from usherd.stores.refreshed_keys import KeyEvent

RunKeySets = Callable[..., AbstractAsyncContextManager[KeySets]]
"""The fixture `run`: key sets of these issuers, running."""


@dataclass(slots=True)
class Hands:
    """A clock whose hands a test moves."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@dataclass(slots=True)
class Events:
    """What a listener heard."""

    heard: list[tuple[KeyEvent, dict[str, str | int]]] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: KeyEvent, fields: Mapping[str, str | int]) -> None:
        self.heard.append((event, dict(fields)))
        self._more.set()

    async def reach(self, event: KeyEvent, count: int) -> None:
        """Returns when that many of them were heard."""
        while len(self.of(event)) < count:
            self._more.clear()
            await self._more.wait()

    def of(self, event: KeyEvent) -> list[dict[str, str | int]]:
        return [fields for heard, fields in self.heard if heard is event]


def issuer_keys(source: KeySource | str, name: str = "idp", **changes: Any) -> IssuerKeys:
    """The settings of an issuer; a string is the URL of its key set."""
    if isinstance(source, str):
        source = KeySetUrls(urls=(source,))
    refresh = Refresh(**{"every": 600, "stale_for": 3600} | changes.pop("refresh", {}))
    settings = {"issuer": "https://idp.example", "algorithms": ALGORITHMS} | changes
    return IssuerKeys(name=name, source=source, refresh=refresh, **settings)
