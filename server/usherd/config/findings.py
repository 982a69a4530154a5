"""The small checks that rules are made of: each yields the places where something is wrong, and what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from usherd.config.problems import KeyPath, Unusable, did_you_mean, one_of, quoted
from usherd.config.read_files import about_to_read
from usherd.config.schema import File
from usherd.config.schema_issuers import Issuer

Found = Iterator[tuple[KeyPath, str]]
"""Places, and what is wrong there."""


def twice(path: KeyPath, names: Sequence[str], key: str, what: str) -> Found:
    """Names that stand more than once in a list of mappings."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            other = f"{path[-1]}[{first[name]}]"
            yield (*path, index, key), f"{quoted(name)} is {what} of {other}, too; expected each once"
        first.setdefault(name, index)


def known(path: KeyPath, name: str, names: Collection[str], what: str) -> Found:
    """A name that nothing has. A large collection of names should be a set."""
    if name not in names:
        few = f"; expected {one_of(sorted(names))}" if 0 < len(names) <= 5 else ""
        yield path, f"{quoted(name)} is no {what}{did_you_mean(name, names) or few}"


def filled(path: KeyPath, value: Sequence[object] | Mapping[str, object] | None, why: str) -> Found:
    """A list or mapping that is there and empty."""
    if value is not None and not value:
        yield path, f"is empty; {why}"


def issuer_of(path: KeyPath, name: str | None, issuers: Collection[str]) -> Found:
    """A missing or unknown issuer."""
    if name is not None:
        yield from known((*path, "issuer"), name, issuers, "issuer")
    elif len(issuers) > 1:
        yield path, f"issuer is missing; with more than one issuer, expected one of {one_of(sorted(issuers))}"


def there(path: KeyPath, file: Path) -> Found:
    """A file that cannot be read."""
    if _first_byte(file) is None:
        yield path, "cannot be read; expected a file, relative to this one"


def readable(path: KeyPath, file: Path) -> Found:
    """A file that cannot be read, or is empty."""
    yield from there(path, file)
    if _first_byte(file) == b"":
        yield path, "is empty"


def _first_byte(file: Path) -> bytes | None:
    """Empty: there is none; None: nobody can say."""
    about_to_read(file)
    try:
        with file.open("rb") as opened:
            return opened.read(1)
    except (OSError, ValueError):
        return None


def tried(path: KeyPath, attempt: Callable[[], object]) -> Found:
    """What an attempt says that raises Unusable."""
    try:
        attempt()
    except Unusable as error:
        yield path, str(error)


def owners(name: str | None, file: File) -> list[Issuer]:
    """The issuer that a rule is for, which the only one is if none is named; nothing if there is no such."""
    wanted = name if name is not None else file.issuers[0].name if len(file.issuers) == 1 else None
    return [issuer for issuer in file.issuers if issuer.name == wanted]
