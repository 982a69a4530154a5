"""The headers of a request, by name, whatever their case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_SPACE = " \t"


class Headers:
    """All of them. White space around a value is no part of it."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]], *, joined: bool = False) -> None:
        """`joined`: several headers of one name have come as one value, with commas between them, so that a value with
        a comma counts as several. None of the headers that are read here has one of its own."""
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            parts = value.split(",") if joined and "," in value else (value,)
            self._values.setdefault(name.lower(), []).extend(part.strip(_SPACE) for part in parts)

    def __iter__(self) -> Iterator[str]:
        """The names, in lower case."""
        return iter(self._values)

    def values(self, name: str) -> list[str]:
        """All values of the header of that lower-case name, empty ones among them."""
        return self._values.get(name, [])

    def distinct(self, name: str) -> list[str]:
        """The values that are not empty, each once."""
        return list(dict.fromkeys(value for value in self._values.get(name, ()) if value))

    def only(self, name: str) -> str | None:
        """The value; empty: there is none, or it has been cleared; None: there are several that
        differ, an empty one among them."""
        values = self._values.get(name, ())
        return None if len(set(values)) > 1 else values[0] if values else ""
