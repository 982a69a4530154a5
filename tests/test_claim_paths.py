"""Claim paths: a small language with clear errors, and a walk that never fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usherd.claim_paths import ABSENT, MAX_LENGTH, MAX_STEPS, ClaimPathError, parse, read, written

CLAIMS: dict[str, Any] = {
    "sub": "alice",
    "null": None,
    "false": False,
    "empty": "",
    "realm_access": {"roles": ["a", "b"]},
    "https://x.example/y": {"roles": ["c"]},
    "a[0]": "bracket",
    "matrix": [[1, 2], [3]],
}


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("sub", ("sub",)),
        ("a.b.c", ("a", "b", "c")),
        (r"a\.b.c", ("a.b", "c")),
        (r"a\\.b", ("a\\", "b")),
        (r"a\[0\]", ("a[0]",)),
        ("a[0]", ("a", 0)),
        ("a[0][12].b", ("a", 0, 12, "b")),
        (r"https://x\.example/y.roles", ("https://x.example/y", "roles")),
        ("0", ("0",)),
        ("with space", ("with space",)),
    ],
)
def test_a_path_has_its_steps(text: str, steps: tuple[str | int, ...]) -> None:
    assert parse(text) == steps
    assert written(steps) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a[",
        "a]",
        "a[]",
        "a[-1]",
        "a[x]",
        "a[0]b",
        "[0]",
        "a.[0]",
        "a\\",
        r"a\x",
        "a[12345]",
        "a" * (MAX_LENGTH + 1),
        ".".join(["a"] * (MAX_STEPS + 1)),
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ClaimPathError):
        parse(text)


def test_the_error_says_where() -> None:
    with pytest.raises(ClaimPathError, match=r"'a\.\.b' is no claim path at character 3"):
        parse("a..b")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sub", "alice"),
        ("realm_access.roles", ["a", "b"]),
        ("realm_access.roles[1]", "b"),
        (r"https://x\.example/y.roles[0]", "c"),
        (r"a\[0\]", "bracket"),
        ("matrix[0][1]", 2),
        ("false", False),
        ("empty", ""),
        ("missing", ABSENT),
        ("null", ABSENT),
        ("null.a", ABSENT),
        ("sub.a", ABSENT),
        ("sub[0]", ABSENT),
        ("realm_access[0]", ABSENT),
        ("realm_access.roles.a", ABSENT),
        ("realm_access.roles[2]", ABSENT),
        ("matrix[1][1]", ABSENT),
    ],
)
def test_a_path_reads_what_is_there_or_absent(text: str, value: object) -> None:
    found = read(CLAIMS, parse(text))

    assert found == value


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)


@given(
    st.dictionaries(st.text(max_size=2), json_values), st.lists(st.text(max_size=2) | st.integers(-3, 5), max_size=5)
)
def test_a_walk_never_fails(claims: dict[str, Any], path: list[str | int]) -> None:
    assert read(claims, tuple(path)) is not None


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=8))
def test_any_names_can_be_written_as_a_path(names: list[str]) -> None:
    escaped = [name.translate({ord(each): f"\\{each}" for each in r"\.[]"}) for name in names]

    assert parse(".".join(escaped)) == tuple(names)
