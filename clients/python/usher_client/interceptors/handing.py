"""Hands items from one thread to another, one at a time, until either has had enough."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

_NOTHING: Final = object()


class Handed:
    """An iterator whose items are made in a thread of its own, so that a wait for the next one can be ended."""

    def __init__(self, source: Callable[[], Iterable[Any]]) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._item: Any = _NOTHING
        self._error: BaseException | None = None
        self._over = False
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._make,), name="usher-stream", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """The next item. Raises what the source ended with; StopIteration once it is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._item is not _NOTHING)
            item, self._item = self._item, _NOTHING
            self._changed.notify_all()
            if item is not _NOTHING:
                return item
            if self._error is not None:
                raise self._error
            raise StopIteration

    def stop(self) -> None:
        """There are no more items; whoever makes one is told when it is done."""
        with self._changed:
            self._over, self._item = True, _NOTHING
            self._changed.notify_all()

    def _make(self) -> None:
        items: Any = ()
        try:
            items = iter(self._source())
            for item in items:
                if not self._hand(item):
                    break
        except BaseException as error:
            with self._changed:
                self._error = error
        finally:
            self._close(items)
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._item is _NOTHING)
                self._over = True
                self._changed.notify_all()

    def _hand(self, item: Any) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._item is _NOTHING)
            if self._over:
                return False
            self._item = item
            self._changed.notify_all()
            return True

    def _close(self, items: Any) -> None:
        close = getattr(items, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                return  # of a handler whose call is over
