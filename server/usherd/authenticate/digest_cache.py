"""Remembers what is known of some bytes, and not the bytes: under a digest that nobody else can compute."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class DigestCache(Generic[V]):
    """The most recently used values, at most `size` (0: none). `binding` is what all of them hold under.

    It is a dict of its own, not aiocache: there one hit costs more than the signature that it spares, memory is
    unbounded, and a lifetime of 0 means for ever.
    """

    def __init__(self, size: int, binding: str) -> None:
        self._size = size
        self._values: OrderedDict[bytes, V] = OrderedDict()
        bound = binding.encode()
        # The length in front keeps the end of the binding and the beginning of the bytes apart.
        self._keyed = hashlib.blake2b(
            len(bound).to_bytes(8, "big") + bound, digest_size=32, key=secrets.token_bytes(32)
        )

    def digest(self, data: bytes) -> bytes:
        """The key under which something is remembered of these bytes."""
        keyed = self._keyed.copy()
        keyed.update(data)
        return keyed.digest()

    def get(self, digest: bytes) -> V | None:
        """What is remembered under that digest."""
        value = self._values.get(digest)
        if value is not None:
            self._values.move_to_end(digest)
        return value

    def put(self, digest: bytes, value: V) -> None:
        """Remembers a value; the one used longest ago makes room for it."""
        self._values[digest] = value
        self._values.move_to_end(digest)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """Forgets what is under that digest."""
        self._values.pop(digest, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)
