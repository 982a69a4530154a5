"""Remembers tokens that were verified, so that the same token costs a digest instead of a signature.

It holds successes only, under a digest keyed with a secret of this process. It is a dict of its own, not aiocache:
there one hit costs more than the signature that it spares, memory is unbounded, and a lifetime of 0 means for ever.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from usherd.authenticate.claims import Validity
from usherd.domain import VerifiedToken


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A token that was verified once. Whether it still is, its dates and its key must say on each use."""

    token: VerifiedToken
    validity: Validity
    names_key: bool
    """Whether its header has a `kid`: without one, it needs its key to be the issuer's only one."""


class TokenCache:
    """The most recently used verified tokens, at most `size` (0: none). `binding` is what they were verified under."""

    def __init__(self, size: int, binding: str) -> None:
        self._size = size
        self._tokens: OrderedDict[bytes, CachedToken] = OrderedDict()
        bound = binding.encode()
        # The length in front keeps the end of the binding and the beginning of a token apart.
        self._keyed = hashlib.blake2b(
            len(bound).to_bytes(8, "big") + bound, digest_size=32, key=secrets.token_bytes(32)
        )

    def digest(self, token: bytes) -> bytes:
        """The key under which the token is remembered. Nobody outside the process can compute it."""
        keyed = self._keyed.copy()
        keyed.update(token)
        return keyed.digest()

    def get(self, digest: bytes) -> CachedToken | None:
        """The verified token of that digest, if it is remembered."""
        cached = self._tokens.get(digest)
        if cached is not None:
            self._tokens.move_to_end(digest)
        return cached

    def put(self, digest: bytes, cached: CachedToken) -> None:
        """Remembers a token; the one used longest ago makes room for it."""
        self._tokens[digest] = cached
        self._tokens.move_to_end(digest)
        if len(self._tokens) > self._size:
            self._tokens.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """Forgets the token of that digest."""
        self._tokens.pop(digest, None)

    def __len__(self) -> int:
        return len(self._tokens)
