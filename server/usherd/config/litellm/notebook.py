"""Collects what an import finds: mistakes, notes for the operator, and remarks for places of the new file."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from usherd.config.document import Document
from usherd.config.problems import ConfigError, KeyPath, Problem, did_you_mean, key_text, shown_key

FILE = "config.yaml"
"""What messages call a configuration that came without a file."""
ENVIRONMENT = "environment"
"""What messages call the environment."""


class Notebook:
    """The findings of one import. Paths of mistakes are LiteLLM's, paths of remarks are usherd's."""

    def __init__(self, ignore: Collection[str] = (), source: Document | None = None) -> None:
        """`ignore`: keys that may be left out, by their whole path or their last name. `source`: has the lines."""
        self._wanted = frozenset(ignore)
        self._ignored: set[str] = set()
        self._refusable: set[str] = set()
        self._source = source
        self._name = FILE if source is None else source.name
        self._problems: list[Problem] = []
        self._notes: dict[str, None] = {}
        self._remarks: dict[KeyPath, str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the whole, each once, in the order in which they were found."""
        return tuple(self._notes)

    @property
    def remarks(self) -> Mapping[KeyPath, str]:
        """One sentence for each place that has one."""
        return self._remarks

    def problem(self, path: KeyPath, text: str) -> None:
        """Something that is wrong at a place of LiteLLM's configuration."""
        if self._source is not None:
            self._problems.append(self._source.problem(path, text))
        else:
            self._problems.append(Problem(self._name, 0, key_text(path), text))

    def variable(self, name: str, text: str) -> None:
        """Something that is wrong with a variable of the environment."""
        self._problems.append(Problem(ENVIRONMENT, 0, name, text))

    def refuse(self, path: KeyPath, why: str) -> None:
        """A key that restricts access and that usherd does not implement: a mistake, unless it is to be ignored."""
        whole = ".".join(step for step in path if isinstance(step, str))
        self._refusable.add(whole)
        names = {whole, str(path[-1])} & self._wanted
        if names:
            self._ignored |= names
            self.note(f"{key_text(path)}: left out, as --ignore says; {why}")
        else:
            name = shown_key(str(path[-1]))
            self.problem(path, f"{why}; usherd does not implement it: expected no such key, or --ignore {name}")

    def note(self, text: str) -> None:
        """Something that the operator should know and that stops nothing."""
        self._notes.setdefault(text)

    def budget(self, path: KeyPath) -> None:
        """A budget above 0 that is taken over."""
        self.note(f"{key_text(path)}: usherd cannot be told yet what is spent, so this budget denies nothing")

    def remark(self, path: KeyPath, text: str) -> None:
        """A sentence for a place of the new file."""
        self._remarks.setdefault(path, text)

    def close(self) -> None:
        """Raises ConfigError if anything is wrong."""
        for name in sorted(self._wanted - self._ignored):
            hint = did_you_mean(name, {each.rpartition(".")[2] for each in self._refusable})
            self._problems.append(
                Problem(
                    self._name, 0, "", f"--ignore {name}: the configuration has no such key that could be ignored{hint}"
                )
            )
        if self._problems:
            raise ConfigError(self._problems)
