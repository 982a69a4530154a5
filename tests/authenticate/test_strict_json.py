"""Strict JSON has one meaning: what parsers read differently, nobody reads here."""

from __future__ import annotations

import base64
import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_data import needs_shared, shared
from usherd.authenticate.strict_json import MAX_DEPTH, MAX_INTEGER_DIGITS, StrictJsonError, load


def refuses(data: bytes, **bounds: int) -> bool:
    try:
        load(data, **bounds)
    except StrictJsonError:
        return True
    return False


@needs_shared
def test_the_json_test_suite_is_followed() -> None:
    files = json.loads(shared("vectors/jsontestsuite.json").read_text())["files"]
    refused = {name: refuses(base64.b64decode(text)) for name, text in files.items()}

    must_parse = {name for name, was in refused.items() if name.startswith("y_") and was}
    must_not_parse = {name for name, was in refused.items() if name.startswith("n_") and not was}

    # The only text of the suite that others must take: one name twice in an object.
    assert must_parse == {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"} & set(files)
    assert must_not_parse == set()
    assert len(refused) > 30


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"outer": [{"b": null, "b": null}]}',
        b"NaN",
        b"[Infinity]",
        b'{"exp": -Infinity}',
        b"1e400",
        b"-1e400",
        b"1" * (MAX_INTEGER_DIGITS + 1),
        b'"\\ud800"',
        b'"\\uDFFF\\uD800"',
        b'{"\\udc00": 1}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b"",
        b"{} {}",
        b"{'a': 1}",
        b"[1,]",
        b'"\n"',
    ],
)
def test_what_has_two_meanings_is_refused(text: bytes) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"\\ud83d\\ude00 \\\\ud800"', "\U0001f600 \\ud800"),
        (b'"[[[[[[[[[[[[[[[[[[[[[[[[[["', "[" * 26),
        (b'["\\"[[[[[[[[[[[[[[[[[[[[[[[[[["]', ['"' + "[" * 26]),
        (b"1" * MAX_INTEGER_DIGITS, int("1" * MAX_INTEGER_DIGITS)),
        (b" \t\r\n{}\n", {}),
        (b"1e-400", 0.0),
    ],
)
def test_what_has_one_meaning_is_read(text: bytes, value: object) -> None:
    assert load(text) == value


def test_nesting_is_bounded_at_any_size() -> None:
    assert load(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert refuses(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    assert refuses(b"[" * 100_000)
    assert refuses(b'{"a":' * 100_000)
    assert not refuses(b"[[[]]]", max_depth=3)
    assert refuses(b"[[[]]]", max_depth=2)


@pytest.mark.parametrize("beside", [b"[],", b"[]," * 30, b'{"a":{}},', b'"]}[",'])
@pytest.mark.parametrize("outer", [1, 10, MAX_DEPTH - 2])
def test_lists_that_were_closed_do_not_count_for_the_depth(beside: bytes, outer: int) -> None:
    def text(depth: int) -> bytes:
        return b"[" * outer + beside + b"[" * (depth - outer) + b"]" * depth

    assert load(text(MAX_DEPTH))
    assert refuses(text(MAX_DEPTH + 1))


def test_many_short_lists_are_not_deep() -> None:
    assert load(b"[" + b",".join([b'[{"a":"]"}]'] * 500) + b"]")


def test_an_unclosed_string_full_of_quotes_is_read_once() -> None:
    # With a search that starts again at each quote, this would take minutes.
    text = b"[" * 30 + b'"' + b'\\"' * 250_000

    assert refuses(text)


def test_size_is_bounded_when_asked() -> None:
    assert load(b"[1]", max_size=3) == [1]
    assert refuses(b"[10]", max_size=3)


def test_the_error_does_not_hold_the_text() -> None:
    text = json.dumps({"secret": "canary"}).encode() + b"!"

    with pytest.raises(StrictJsonError) as caught:
        load(text)

    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert caught.value.args == ()


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_what_json_writes_is_read_back(value: Any, escaped: bool) -> None:
    assert load(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.binary(max_size=64))
def test_any_bytes_give_a_value_or_the_one_error(data: bytes) -> None:
    if not refuses(data):
        assert json.loads(data.decode()) == load(data)
