"""Reads a file of stories and finds everything that is wrong with it, before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from usherd.config.document import Document, read_document
from usherd.config.findings import Found, known, twice
from usherd.config.plain_words import validated
from usherd.config.problems import ConfigError, KeyPath, did_you_mean, one_of, quoted
from usherd.config.schema_options import value_text
from usherd.config.schema_stories import Asking, Book, Step, Story, Usage
from usherd.errors import FaultReason
from usherd.facts import WriteKind
from usherd.options import BY_NAME
from usherd.reasons import Reason

_OWNERS = ("everyone", "organization", "team", "user", "member", "end_user")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBook:
    """A file of stories that was checked, and what it refers to."""

    document: Document
    book: Book
    policy: Document
    """The configuration as it is written, without keys of the runner's."""
    people: Document
    """The directory as it is written; empty where there is none."""
    now: float
    """What the clock says when a story begins, in seconds since the epoch."""

    @property
    def name(self) -> str:
        """The file as messages call it."""
        return self.document.name

    def line(self, path: KeyPath) -> int:
        """The line of a place."""
        return self.document.problem(path, "").line


def read_book(path: Path, config: Path | None = None) -> OpenBook:
    """The stories in a file; `config` is the policy of files that have none.

    Raises ConfigError with everything that is wrong with the file itself. What is wrong with a policy is found when a
    story needs it.
    """
    document = read_document(path, merge_keys=True)
    keys = {field.alias or name for name, field in Book.model_fields.items()}
    if isinstance(document.value, dict):
        # Anchors need a place to stand.
        kept = {key: value for key, value in document.value.items() if key in keys or key not in document.anchored}
        document = replace(document, value=kept)
    book, problems = validated(document, Book)
    if book is None:
        raise ConfigError(problems)
    problems += [document.problem(place, text) for place, text in _check(book)]
    policy = _here_or_file(document, "policy", book.policy)
    if policy is None and config is not None:
        policy = read_document(config)
    if policy is None:
        problems.append(document.problem(("policy",), "is missing; expected a configuration, or the path of one"))
    now = _instant(book.now)
    if now is None:
        problems.append(document.problem(("now",), f"{quoted(book.now)} is no instant; expected 2026-01-01T00:00:00Z"))
    if problems or policy is None or now is None:
        raise ConfigError(problems)
    people = _here_or_file(document, "directory", book.directory) or _seed(policy)
    return OpenBook(document=document, book=book, policy=policy, people=people, now=now)


def part_of(document: Document, path: KeyPath) -> Document:
    """The value at a place as a document of its own, with its lines."""
    value: Any = document.value
    for step in path:
        value = value[step]
    lines = {each[len(path) :]: line for each, line in document.lines.items() if each[: len(path)] == path}
    return Document(document.name, document.folder, value, lines)


def _here_or_file(document: Document, key: str, value: object) -> Document | None:
    if value is None:
        return None
    return read_document(document.folder / value) if isinstance(value, str) else part_of(document, (key,))


def _seed(policy: Document) -> Document:
    """The directory file that a policy names, or an empty one."""
    section = policy.value.get("directory") if isinstance(policy.value, dict) else None
    seed = section.get("seed") if isinstance(section, dict) else None
    if isinstance(seed, str):
        return read_document(policy.folder / seed)
    return Document(policy.name, policy.folder, {}, {})


def _instant(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else found.timestamp()


def _check(book: Book) -> Found:
    if not book.stories:
        yield ("stories",), "is empty; expected at least one story"
    for index, usage in enumerate(book.usage):
        yield from _usage(("usage", index), usage)
    for issuer, keys in book.keys.items():
        yield from twice(("keys", issuer), [key.name for key in keys], "name", "the name")
    for name, ask in book.fixtures.asks.items():
        if ask.fixture is not None:
            yield (
                ("fixtures", "asks", name, "fixture"),
                "is no part of a fixture itself; expected the question written out",
            )
    yield from twice(("stories",), [story.name for story in book.stories], "name", "the name")
    for index, story in enumerate(book.stories):
        yield from _story(("stories", index), story, book)


def _story(path: KeyPath, story: Story, book: Book) -> Found:
    yield from options_of((*path, "options"), story.options)
    for index, usage in enumerate(story.usage):
        yield from _usage((*path, "usage", index), usage)
    if story.steps is None:
        yield from _asking(path, story, None, book)
        return
    yield from _words(path, story, book)
    if story.expect is not None:
        yield (*path, "expect"), "stands beside steps; expected each step to have its own"
    if not story.steps:
        yield (*path, "steps"), "is empty; expected at least one step"
    for index, step in enumerate(story.steps):
        yield from _step((*path, "steps", index), step, story, book)


def _step(path: KeyPath, step: Step, story: Story, book: Book) -> Found:
    if step.change is None:
        yield from _asking(path, step, story, book)
        if step.expect is not None and step.expect.problem is not None:
            yield (*path, "expect", "problem"), "is about a policy that does not load; expected a story without steps"
        return
    asked = [name for name in Asking.model_fields if getattr(step, name) is not None]
    if asked:
        yield (*path, asked[0]), "stands beside a change; expected a step for each"
    yield from options_of((*path, "change", "options"), step.change.options)
    for index, usage in enumerate(step.change.usage):
        yield from _usage((*path, "change", "usage", index), usage)


def _asking(path: KeyPath, asking: Asking, story: Story | None, book: Book) -> Found:
    yield from _words(path, asking, book)
    ask = asking.ask or (story.ask if story is not None else None)
    refuses = asking.expect is not None and asking.expect.problem is not None
    if ask is None and not refuses:
        yield path, "asks nothing; expected ask"
    elif ask is not None and ask.route is None and _route(ask.fixture, book) is None:
        yield (*path, "ask"), "names no route"
    if asking.expect is None or not asking.expect.model_fields_set:
        yield path, "expects nothing; expected expect"


def _words(path: KeyPath, asking: Asking, book: Book) -> Found:
    """What is wrong with single words of a question."""
    for key, fixtures, named in (
        ("claims", book.fixtures.claims, (asking.claims or {}).get("fixture")),
        ("ask", book.fixtures.asks, None if asking.ask is None else asking.ask.fixture),
    ):
        if named is not None:
            yield from known((*path, key), str(named), fixtures, f"fixture for {key}")
    for beside in ("claims", "omit", "header", "key", "issuer"):
        if asking.token is not None and getattr(asking, beside) is not None:
            yield (*path, beside), "stands beside a token that is given as it is sent; expected one of them"
    expect = asking.expect
    if expect is None:
        return
    for key, value, names in (
        ("reason", expect.reason, Reason.__members__),
        ("fault", expect.fault, FaultReason.__members__),
        ("shadow.reason", None if expect.shadow is None else expect.shadow.reason, Reason.__members__),
    ):
        if value is not None:
            place = key.split(".")
            yield from known((*path, "expect", *place), value, names, f"{place[-1]} of the contract")
    for index, write in enumerate(expect.writes or []):
        kinds = [kind.value for kind in WriteKind]
        if len(write) != 1 or next(iter(write)) not in kinds:
            yield (*path, "expect", "writes", index), f"expected one of {one_of(kinds)}, with the row's values"


def options_of(path: KeyPath, options: Mapping[str, object]) -> Found:
    """Options that do not exist, and values that they cannot have."""
    for name, value in options.items():
        info = BY_NAME.get(name)
        if info is None:
            yield (*path, name), f"unknown option{did_you_mean(name, BY_NAME)}"
        elif value not in info.values or type(value) is not type(info.strict):
            yield (*path, name), f"expected {one_of(map(value_text, info.values))}"


def _usage(path: KeyPath, usage: Usage) -> Found:
    if sum(bool(getattr(usage, owner)) for owner in _OWNERS) != 1:
        yield path, "expected one of global, organization, team, user, member or end_user"


def _route(fixture: str | None, book: Book) -> str | None:
    found = book.fixtures.asks.get(fixture or "")
    return None if found is None else found.route
