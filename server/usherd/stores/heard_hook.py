"""Lets a candidate policy know what the operator's check said, without asking it twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from usherd.bounded import Memo
from usherd.ports import Hook

_SIZE = 4096


class NotHeard(Exception):
    """The check was not asked about these claims, or it failed."""


class HeardHook:
    """The check, and what it last said of equal claims, so that a candidate costs it no time and no call."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        # By digest: no claim is kept.
        self._heard: Memo[bytes, bool] = Memo(_SIZE)

    async def __call__(self, claims: Mapping[str, object]) -> bool:
        """As the check. Raises what it raises."""
        # Before it is asked, as it may change what it is given.
        key = _digest(claims)
        try:
            accepted = await self._hook(claims)
        except BaseException:
            self._heard.pop(key)
            raise
        self._heard.put(key, accepted is True)
        return accepted

    async def again(self, claims: Mapping[str, object]) -> bool:
        """What it last said of these claims. Raises NotHeard when that is not known."""
        heard = self._heard.get(_digest(claims))
        if heard is None:
            raise NotHeard
        return heard


def _digest(claims: Mapping[str, object]) -> bytes:
    return hashlib.blake2b(json.dumps(claims, sort_keys=True).encode("utf-8", "surrogatepass"), digest_size=16).digest()
