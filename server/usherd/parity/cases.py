"""Reads recorded cases: a LiteLLM configuration, a token, a directory, a question, and what LiteLLM answered."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_LINE = 1 << 20
"""Bytes of one case; the longest recorded token has 90 KB."""
MAX_DOCUMENT = 1 << 20
"""Bytes of one key document."""

Json = Mapping[str, Any]
"""An object of a case, as it stands in the file."""


class CasesUnusable(Exception):
    """The file of cases, or a key document that it names, cannot be read. The text says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One recorded question. Its members are those of the file, by the same names."""

    id: str
    area: str
    config: Json
    """`general_settings`, `litellm_settings`, `model_list`, `env`, `leeway`."""
    keys: str
    """The name of the document in `jwks/` that the issuer publishes."""
    jwks_http: Json | None
    """How the endpoint of the keys misbehaves; None: it does not."""
    token: str = field(repr=False)
    claims: object = field(repr=False)
    """What the token says, for reading; None or a text where JSON cannot show it."""
    directory: Json
    route: str
    method: str
    model: object
    """Usually a text; None: the body has none."""
    request: Json
    """Further members of the body."""
    expected: Json
    """What LiteLLM 1.63.2 answered."""
    latest: Json
    """What LiteLLM 1.109.1 answered, and our note on why it changed."""
    tags: frozenset[str]


def read_cases(path: Path) -> Iterator[Case]:
    """The cases of a file, one JSON object a line; `.xz` is unpacked. Raises CasesUnusable."""
    try:
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise CasesUnusable(f"{path}:{number}: is too long; expected at most {MAX_LINE} bytes")
                if line.strip():
                    yield _case(line, f"{path}:{number}")
    except OSError as error:
        raise CasesUnusable(f"{path}: cannot be read: {error.strerror or 'unknown error'}") from None
    except (lzma.LZMAError, EOFError):
        raise CasesUnusable(f"{path}: is not complete, or not packed by xz") from None


def _case(line: bytes, place: str) -> Case:
    try:
        found = json.loads(line)
        return Case(
            id=found["id"],
            area=found["area"],
            config=found["config"],
            keys=found["keys"],
            jwks_http=found.get("jwks_http"),
            token=found["token"],
            claims=found["claims"],
            directory=found["directory"],
            route=found["route"],
            method=found["method"],
            model=found["model"],
            request=found.get("request") or {},
            expected=found["expected"],
            latest=found.get("latest") or {},
            tags=frozenset(found.get("tags", ())),
        )
    except (ValueError, RecursionError):
        raise CasesUnusable(f"{place}: is no JSON") from None
    except (KeyError, TypeError, AttributeError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else "is no object of the expected shape"
        raise CasesUnusable(f"{place}: {missing}") from None


class KeyDocuments:
    """The documents in `jwks/` beside the cases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes: dict[str, bytes] = {}
        self._values: dict[str, object] = {}

    def body(self, name: str) -> bytes:
        """The document as it is served. Raises CasesUnusable."""
        if name not in self._bytes:
            path = self._folder / f"{name}.json"
            if path.parent != self._folder:
                raise CasesUnusable(f"{name!r} is no name of a key document")
            try:
                with path.open("rb") as file:
                    self._bytes[name] = file.read(MAX_DOCUMENT)
            except OSError as error:
                raise CasesUnusable(f"{path}: cannot be read: {error.strerror or 'unknown error'}") from None
        return self._bytes[name]

    def value(self, name: str) -> object:
        """The document as JSON. Raises CasesUnusable."""
        if name not in self._values:
            try:
                self._values[name] = json.loads(self.body(name))
            except (ValueError, RecursionError):
                raise CasesUnusable(f"{self._folder / name}.json: is no JSON") from None
        return self._values[name]
