"""A memo that forgets everything when it is full: bounded, and as cheap as a dict."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Remembers results of pure functions. What it forgets is only computed again."""

    __slots__ = ("_size", "_values", "get")

    def __init__(self, size: int) -> None:
        self._values: dict[K, V] = {}
        self._size = size
        self.get = self._values.get

    def put(self, key: K, value: V) -> None:
        """Remembers a value; a full memo is emptied first, so that it never holds more than its size."""
        if len(self._values) >= self._size:
            self._values.clear()
        self._values[key] = value

    def pop(self, key: K) -> None:
        """Forgets a value, if it is there."""
        self._values.pop(key, None)

    def __len__(self) -> int:
        return len(self._values)
