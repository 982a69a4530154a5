"""Strict JSON: what it reads, Python's own reader reads alike; what it refuses, it refuses for one of its reasons."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

from fuzz.mutators import json_mutator, mutate_bytes
from fuzz.target import Target
from usherd.authenticate.strict_json import MAX_DEPTH, MAX_INTEGER_DIGITS, StrictJsonError, load

PIECES = (
    b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\\uDFFF\\uD800"', b'"\\\\ud800"', b"NaN", b"-Infinity", b"1e400", b"1e-400",
    b"-0",
    b"1" * 64, b"1" * 65, b"-" + b"1" * 63, b"-" + b"1" * 64, b"[" * 19, b"[" * 20, b"]" * 20, b'"\\u0061":1,"a":2',
    b"\xef\xbb\xbf", b"\xc0\xaf", b"\xed\xa0\x80", b'{"a":', b"\\", b'\\"', b"\\/", b"\x7f", b"\xc2\x85", b"0.1E+2",
    b"01",
)  # fmt: skip
_json = json_mutator(
    ("\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "a", "\\", '"'), ("a", "b", "A")
)


def _seeds() -> list[bytes]:
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    values = (
        b"{}",
        b'{"a":[1,2.5,true,null,"x"],"b":{"c":-1e3}}',
        deep,
        b"[" + deep + b"]",
        b'"\\ud83d\\ude00 \\\\ud800"',
    )
    return [
        *values,
        b'"[[[[[[[[[[[[[[[[[[[[[[[[[["',
        b'["\\"[[[[[[[[[[[[[[[[[[[[[[[", {}]',
        b'{"a":1,"\\u0061":1}',
        *PIECES,
    ]


def _mutate(data: bytes, random: Random) -> bytes:
    match random.randrange(4):
        case 0:
            return _json(data, random)
        case 1:
            return mutate_bytes(data, random)
        case _:
            place = random.randint(0, len(data))
            return data[:place] + random.choice(PIECES) + data[place + random.choice((0, 0, 1, 4)) :]


def _check(data: bytes) -> object:
    reason = _why_not(data)
    try:
        value = load(data)
    except StrictJsonError as error:
        assert reason, "refused without a reason"
        assert not error.args
        assert error.__context__ is None, "the parser's error, which quotes the text, is chained"
        return reason
    assert not reason, reason
    assert _same(value, json.loads(data)), "another value than Python's reader has"
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    for depth in (0, 1, 2, 99):
        try:
            load(data, max_depth=depth)
        except StrictJsonError:
            assert _depth(value) > depth
        else:
            assert _depth(value) <= depth
    _bounded(data)
    return repr(value)


def _bounded(data: bytes) -> None:
    load(data, max_size=len(data))
    try:
        load(data, max_size=len(data) - 1)
    except StrictJsonError:
        return
    raise AssertionError("read beyond its size")


def _why_not(data: bytes) -> str:
    """Why strict JSON must refuse; empty: it must not. Worked out from the value alone, without its own means."""
    doubled: list[object] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        doubled.extend({name for name in names if names.count(name) > 1})
        return dict(found)

    def integer(text: str) -> object:
        return doubled.append(text) if len(text) > MAX_INTEGER_DIGITS else int(text)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_int=integer)
    except RecursionError:
        return "too deep"
    except ValueError:
        return "no JSON, or no UTF-8"
    if doubled:
        return "doubled names, or long integers"
    if _depth(value) > MAX_DEPTH:
        return "too deep"
    return _unspeakable(value)


def _unspeakable(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "no number"
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return "half a pair"
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return next(filter(None, map(_unspeakable, inner)), "")


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and repr(one) == repr(other)


TARGET = Target(name="strict_json", seeds=_seeds, check=_check, mutate=_mutate, max_size=1024)
