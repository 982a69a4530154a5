"""Writes pages that are made of something else, or checks that they are as made (--check)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def write_or_check(pages: Mapping[Path, str], source: str) -> int:
    """Writes each page's text; with --check compares it. 0 when all are as they should be; others are named.

    `source` says what they are made of.
    """
    if "--check" not in sys.argv[1:]:
        for page, text in pages.items():
            page.parent.mkdir(exist_ok=True)
            page.write_text(text)
        return 0
    stale = [page for page, text in pages.items() if not page.is_file() or page.read_text() != text]
    for page in stale:
        print(f"{page.relative_to(ROOT)} is not what {source} says: run make generate", file=sys.stderr)
    return 1 if stale else 0
