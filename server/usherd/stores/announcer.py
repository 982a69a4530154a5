"""Tells listeners what has changed in a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from usherd.changes import Listening, Lookup, News, Ref, refs_of


class Announcer:
    """Everybody who wants to hear of one directory's changes."""

    def __init__(self) -> None:
        self._listening: dict[object, Listening] = {}

    def listen(self, hear: Listening) -> Callable[[], None]:
        """`hear` is told of every change from now on, until what is returned is called."""
        key = object()
        self._listening[key] = hear

        def unlisten() -> None:
            self._listening.pop(key, None)

        return unlisten

    def tell(self, news: News) -> None:
        """Tells everybody. Facts of that revision can be read already.

        Raises what a listener has raised, against its promise, once all have been told.
        """
        broken: Exception | None = None
        for hear in tuple(self._listening.values()):
            try:
                hear(news)
            except Exception as error:
                broken = error
        if broken is not None:
            raise broken


def refs_of_all(lookups: Iterable[Lookup], bare_ids_for: str | None) -> frozenset[Ref]:
    """The dependencies that any of these look-ups answers."""
    return frozenset(ref for lookup in lookups for ref in refs_of(lookup, bare_ids_for))
