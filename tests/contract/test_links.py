"""What the check of the pages' links is for, it finds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
import check_links

OTHER = "# Other\n\n## Tokens that *their* issuer (RFC 7662) knows\n\n```sh\n# no heading\n```\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](other.md), [b](other.md#other), [c](#here), [d](https://elsewhere.example#any)\n# Here", []),
        ("[a](other.md#tokens-that-their-issuer-rfc-7662-knows)", []),
        ("[a](gone.md)", ["gone.md"]),
        ("[a](other.md#gone)", ["other.md#gone"]),
        ("[a](other.md#no-heading)", ["other.md#no-heading"]),
        ("[a](#gone)", ["#gone"]),
        ("`make gone`", ["make gone"]),
    ],
)
def test_a_link_without_a_place_to_lead_to_is_found(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "other.md").write_text(OTHER)
    page = tmp_path / "page.md"
    page.write_text(text)

    assert check_links.dead_ends(page, {"test"}) == found
