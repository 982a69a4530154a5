"""Reads values of LiteLLM's configuration as LiteLLM takes them: coerced where it coerces, refused where it refuses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from usherd.config.litellm.notebook import Notebook
from usherd.config.problems import KeyPath, did_you_mean, kind_of_value, quoted

VARIABLE_PREFIX = "os.environ/"
"""How a value names a variable of the environment."""
_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})
_FALSE = frozenset({"0", "off", "f", "false", "n", "no"})


def named_variable(value: object) -> str | None:
    """The variable that a value stands for; None when it stands for itself."""
    return value.removeprefix(VARIABLE_PREFIX) if isinstance(value, str) and value.startswith(VARIABLE_PREFIX) else None


class Section:
    """One mapping of the configuration. What it cannot read is written to the notebook, and counts as absent."""

    def __init__(self, value: Mapping[str, object], path: KeyPath, book: Notebook, environment: Mapping[str, str]):
        self._value = value
        self.path = path
        self._book = book
        self._environment = environment

    def __contains__(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self._value.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        """The keys, null or not."""
        return iter(self._value)

    def raw(self, key: str) -> object:
        """The value as it is written; None when absent."""
        return self._value.get(key)

    def at(self, key: str) -> KeyPath:
        """Where a key stands."""
        return (*self.path, key)

    def wrong(self, key: str, expected: str) -> None:
        """A value of the wrong kind. It is not repeated: it may be a secret in the wrong place."""
        self._book.problem(self.at(key), f"is {kind_of_value(self._value.get(key))}; expected {expected}")

    def known(self, names: frozenset[str], version: str, hints: Mapping[str, str] | None = None) -> None:
        """Keys that this version of LiteLLM refuses are mistakes."""
        for key in self._value:
            if key not in names:
                hint = (hints or {}).get(key) or did_you_mean(key, names)
                self._book.problem(self.at(key), f"is no key that LiteLLM {version} takes here{hint}")

    def _resolved(self, key: str) -> object:
        value = self._value.get(key)
        name = named_variable(value)
        if name is None:
            return value
        found = self._environment.get(name)
        if found is None:
            self._book.problem(
                self.at(key), f"the environment variable {name} is not set; expected it to hold the value"
            )
        return found

    def text(self, key: str, default: str | None = None, *, nullable: bool = True) -> str | None:
        """A text; `default` when absent."""
        if self._absent(key, nullable=nullable, expected="a text"):
            return default
        value = self._resolved(key)
        if isinstance(value, str):
            return value
        if key in self and named_variable(self._value[key]) is None:
            self.wrong(key, "a text")
        return default

    def hint(self, key: str) -> str:
        """A text that may be missing, or name a variable that is not set: empty then, and no mistake."""
        value = self._value.get(key)
        name = named_variable(value)
        found = value if name is None else self._environment.get(name)
        return found if isinstance(found, str) else ""

    def flag(self, key: str) -> bool:
        """True or false, also by the words that LiteLLM takes for them; false when absent."""
        if self._absent(key, nullable=False, expected="true or false"):
            return False
        value = self._resolved(key)
        if isinstance(value, str):
            word = value.lower()
            if word in _TRUE or word in _FALSE:
                return word in _TRUE
        elif value in (True, False):  # also 1 and 0, as LiteLLM takes them
            return bool(value)
        if value is not None:
            self._book.problem(self.at(key), "is neither true nor false; expected one of them")
        return False

    def switch(self, key: str) -> bool:
        """True or false, and no words for them; false when absent or null."""
        value = self._value.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.wrong(key, "true or false")
        return False

    def number(self, key: str, default: float | None = None, *, nullable: bool = False) -> float | None:
        """A finite number, also as a text; `default` when absent."""
        if self._absent(key, nullable=nullable, expected="a number"):
            return default
        value = self._resolved(key)
        if isinstance(value, int | float | str):
            try:
                found = float(value)
            except ValueError:
                found = math.nan
            if math.isfinite(found):
                # A whole number is written as one.
                return int(found) if found == int(found) else found
        if value is not None:
            self._book.problem(self.at(key), "is no number; expected a number")
        return default

    def texts(self, key: str, *, nullable: bool = True) -> list[str] | None:
        """A list of texts; None when absent."""
        if self._absent(key, nullable=nullable, expected="a list of texts"):
            return None
        value = self._value[key]
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return list(value)
        self._book.problem(self.at(key), "is no list of texts; expected one, as [a, b]")
        return None

    def sections(self, key: str) -> list[Section] | None:
        """A list of mappings; None when absent."""
        value = self._value.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            self._book.problem(self.at(key), "is no list of mappings; expected one")
            return None
        return [
            Section(item, (*self.path, key, index), self._book, self._environment) for index, item in enumerate(value)
        ]

    def section(self, key: str) -> Section:
        """A mapping; an empty one when absent."""
        value = self._value.get(key)
        if value is not None and not isinstance(value, Mapping):
            self.wrong(key, "a mapping of keys to values")
        return Section(value if isinstance(value, Mapping) else {}, self.at(key), self._book, self._environment)

    def one_of(self, key: str, names: tuple[str, ...]) -> str | None:
        """One of some words, which must be there."""
        found = self.text(key)
        if found is None and key not in self:
            self._book.problem(self.path, f"has no {key}; expected {', '.join(names)}")
        elif found is not None and found not in names:
            self._book.problem(self.at(key), f"{quoted(found)} is not possible here; expected {', '.join(names)}")
            return None
        return found

    def _absent(self, key: str, *, nullable: bool, expected: str) -> bool:
        if key in self:
            return False
        if key in self._value and not nullable:
            self._book.problem(self.at(key), f"is empty; expected {expected}, or no such key")
        return True
