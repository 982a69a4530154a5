"""YAML texts: plain values with the line of each come of it, or one problem that says where and what."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from random import Random

from fuzz.mutators import mutate_bytes
from fuzz.target import Target
from usherd.config.document import MAX_DEPTH, Document, parse_document
from usherd.config.problems import ConfigError, Problem, did_you_mean, key_text, kind_of_value, one_of

PIECES = (
    b"a: b", b"\n", b"  ", b"- ", b"[", b"]", b"{", b"}", b", ", b": ", b"&a ", b"*a", b"<<: *a", b"'<<': 1", b"? ",
    b"|\n  x\n", b">-\n  y\n",
    b"!!str 1", b"!x 1", b"! 1", b"%YAML 1.2\n---\n", b"---\n", b"...\n", b"# c\n", b"\xef\xbb\xbf", b"\xff\xfe",
    b"\x00", b"\xc2\x85", b"\t",
    b'"\\ud800"', b'"\\x41\\u00e9\\U0001F600"', b"null", b"~", b"true", b"yes", b"0x1f", b"0o7", b"1_000", b"1e3",
    b".inf", b".nan", b"1e999", b"-0.0",
    b"9" * 18, b"9" * 19, b"2024-01-01", b"12:30:45", b"a: 1\na: 2\n", b"1: 2", b"[1]: 2", b"? [a]\n: b", b"[" * 31,
    b"[" * 33, b"{a: " * 32,
    b"a: &x [1, 2]\nb: [*x, *x, *x]\n", b"x: &x {a: 1}\ny: {<<: *x, b: 2}\nz: {<<: [*x, *x]}\n", b"<<: 1", b"<<: [1]",
    b"&a [*a]", b"- &a 1\n- *a\n",
)  # fmt: skip


def _seeds() -> list[bytes]:
    bomb = b"a: &a [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
        b"%c: &%c [%s]\n" % (now, now, b",".join([b"*%c" % before] * 10))
        for before, now in zip(b"abcde", b"bcdef", strict=True)
    )
    return [
        *PIECES,
        bomb,
        b"",
        b"issuers:\n  - name: idp\n    keys: {discovery: true}\n",
        b"a: [b, {c: 'd'}, \"e\\n\"]\n# end",
    ]


def _mutate(data: bytes, random: Random) -> bytes:
    if random.random() < 0.3:
        return mutate_bytes(data, random)
    place = random.randint(0, len(data))
    return data[:place] + random.choice(PIECES) + data[place + random.choice((0, 0, 0, 1, 5)) :]


def _check(data: bytes) -> object:
    answers: list[object] = []
    for merge_keys in (False, True):
        try:
            document = parse_document(data, "file.yaml", Path("/folder"), merge_keys=merge_keys)
        except ConfigError as error:
            assert len(error.problems) == 1
            _check_problem(error.problems[0], data)
            answers.append(str(error))
        else:
            _check_document(document, data)
            answers.append(repr(document.value))
    return answers


def _check_problem(problem: Problem, data: bytes) -> None:
    assert problem.file == "file.yaml" and problem.text and problem.text.isprintable() and len(problem.text) < 300
    assert 0 <= problem.line <= _lines(data), "a line that the file does not have"
    assert str(problem).startswith("file.yaml:") and str(problem).isprintable()


def _lines(data: bytes) -> int:
    text = data.decode("utf-8", "replace")
    # The lines of YAML end in more ways than those of most editors; the place after the last one is a line, too.
    return 2 + sum(text.count(end) for end in ("\n", "\r", "\x85", "\u2028", "\u2029"))


def _check_document(document: Document, data: bytes) -> None:
    _check_value(document.value, 0)
    assert min(document.lines.values()) >= 1 and max(document.lines.values()) <= _lines(data)
    json.dumps(document.value, allow_nan=False).encode()
    # Aliases make thousands of places of a short text.
    for path in itertools.islice(document.lines, 200):
        value = document.value
        for step in path:
            assert isinstance(value, (dict, list))
            value = value[step]  # type: ignore[index]
        problem = document.problem((*path, "nothing", 0), "text")
        assert (
            problem.line == document.lines[path]
            and problem.key.isprintable()
            and problem.key == key_text((*path, "nothing", 0))
        )
        assert kind_of_value(value) in ("empty", "true", "false", "a number", "a text", "a list", "a mapping")
        if isinstance(value, dict) and value:
            _check_words(list(value))
    assert not isinstance(document.value, dict) or set(document.value) >= document.anchored


def _check_words(names: list[str]) -> None:
    assert all(name in one_of(names) for name in names)
    if len(names[0]) < 50:
        meant = did_you_mean(names[0], names[:20])
        assert meant == "" or meant.removeprefix("; did you mean ").removesuffix("?") in names


def _check_value(value: object, depth: int) -> None:
    assert depth <= MAX_DEPTH, "deeper than is allowed"
    assert value is None or type(value) in (bool, int, float, str, list, dict), "no plain value"
    if isinstance(value, float):
        assert math.isfinite(value)
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_value(item, depth + 1)


TARGET = Target(
    name="config_text",
    seeds=_seeds,
    check=_check,
    mutate=_mutate,
    max_size=1024,
    out_of_reach={"config/document.py": "a file that is too large or unreadable is no matter of its bytes"},
)
