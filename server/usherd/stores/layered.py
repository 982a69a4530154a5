"""A mapping that never changes, of which a changed copy costs little: a large base under a small layer."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Layered(Generic[K, V]):
    """Keys and values; none is ever removed.

    A plain copy of 100,000 entries takes about a millisecond for each index of a row, and all of it at once. Here a
    change copies the layer alone, which joins the base when it has grown to the square root of it: each change copies
    some hundreds of entries, and the base is copied once in as many changes.
    """

    __slots__ = ("_base", "_layer")

    def __init__(self, base: Mapping[K, V] | None = None, layer: Mapping[K, V] | None = None) -> None:
        """The mappings are this object's from now on: nobody else may change them."""
        self._base: Mapping[K, V] = {} if base is None else base
        self._layer: Mapping[K, V] = {} if layer is None else layer

    def get(self, key: K) -> V | None:
        """The value of the key, None when there is none."""
        value = self._layer.get(key)
        return self._base.get(key) if value is None else value

    def changed(self, changes: Mapping[K, V]) -> Layered[K, V]:
        """A mapping with these values besides, and in place of, the ones it has; itself when there are no changes."""
        if not changes:
            return self
        layer = {**self._layer, **changes}
        if len(layer) ** 2 > len(self._base):
            return Layered({**self._base, **layer})
        return Layered(self._base, layer)
