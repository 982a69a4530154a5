"""Checks that every relative link, its heading included, and every `make` command in the project's Markdown leads
somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\$ )?make ([a-z-]+)|`make ([a-z-]+)`", re.MULTILINE)
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)


def pages() -> list[Path]:
    """The Markdown that belongs to the project: git knows it, or would take it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in sorted(set(listed.stdout.splitlines())) if (ROOT / name).is_file()]


def dead_ends(page: Path, targets: set[str]) -> list[str]:
    """What this page names and the project does not have."""
    text = page.read_text()
    links = [each for each in LINK.findall(text) if "://" not in each and not each.startswith("mailto:")]
    commands = [first or second for first, second in COMMAND.findall(text)]
    return [each for each in links if not _leads_somewhere(page, each)] + [
        f"make {each}" for each in commands if each not in targets
    ]


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    file = page.parent / path if path else page
    return file.exists() and (not anchor or file.suffix != ".md" or anchor in anchors(file.read_text()))


def anchors(text: str) -> set[str]:
    """What the headings of a page are linked by, as GitHub makes it of them."""
    headings = HEADING.findall(FENCED.sub("", text))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def main() -> int:
    """0 when there is no dead end; else each on its line."""
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    found = [f"{page.relative_to(ROOT)}: {each}" for page in pages() for each in dead_ends(page, targets)]
    print("\n".join(found) or "docs: links and commands ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
