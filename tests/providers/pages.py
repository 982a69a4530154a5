"""Reads the pages about identity providers: the files that they show, and their stories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from usherd.config.load import load
from usherd.config.settings import Settings
from usherd.stories.book import OpenBook, read_book

HERE = Path(__file__).parents[2] / "docs" / "providers"
PAGES = {page.stem: page.read_text("utf-8") for page in sorted(HERE.glob("*.md")) if page.stem != "README"}
BOOKS = sorted((HERE / "stories").glob("*.yaml"))
_FILE = re.compile(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def files(page: str) -> Mapping[str, str]:
    """The files that a page shows, by the name in their first line."""
    return dict(_FILE.findall(PAGES[page]))


CONFIGURATIONS = [(page, name) for page in PAGES for name in files(page) if name.startswith("usherd")]
"""Each page with the name of each configuration that it shows."""


def page_of(book: Path) -> str:
    """`entra-v1.yaml` belongs to the page about Entra."""
    return book.stem.partition("-")[0]


def written(page: str, folder: Path) -> Path:
    """The folder, with all the files of a page in it."""
    for name, text in files(page).items():
        (folder / name).write_text(text, "utf-8")
    return folder


def settings(page: str, name: str, folder: Path) -> Settings:
    return load(written(page, folder) / name, {})


def book(source: Path, folder: Path) -> OpenBook:
    """A file of stories beside the page's files, where a reader puts it."""
    copy = written(page_of(source), folder) / source.name
    copy.write_text(source.read_text("utf-8"), "utf-8")
    return read_book(copy)
