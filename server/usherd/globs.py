"""Fits texts to patterns whose only special character is `*`: no regular expression, no backtracking."""

from __future__ import annotations

from collections.abc import Iterable


def fits(text: str, pattern: str) -> bool:
    """Whether the whole text fits the pattern; each `*` stands for any number of characters, none included."""
    if "*" not in pattern:
        return text == pattern
    head, *middle, tail = pattern.split("*")
    if len(text) < len(head) + len(tail) or not text.startswith(head) or not text.endswith(tail):
        return False
    at, end = len(head), len(text) - len(tail)
    for piece in middle:
        # The leftmost place leaves most room for the rest, so the first one found is the only one to try.
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def fits_any(text: str, patterns: Iterable[str]) -> bool:
    """Whether the text fits at least one of the patterns."""
    return any(fits(text, pattern) for pattern in patterns)
