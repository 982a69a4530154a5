"""Finds files of stories."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SUFFIXES = (".yaml", ".yml")


class NoStories(Exception):
    """There is nothing to tell at a path. The text says where."""


def story_files(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and all YAML files with stories in folders that are named, sorted by their path.

    In a folder only files count that have a line beginning with `stories:`, so that policies and directories may
    stand beside. Raises NoStories for a path that is not there, and for a folder without stories.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise NoStories(f"{path}: there is no such file or folder")
            found[path] = None
            continue
        inside = [file for file in sorted(path.rglob("*")) if file.suffix in SUFFIXES and _has_stories(file)]
        if not inside:
            raise NoStories(f"{path}: has no stories; expected YAML files with a line that begins with stories:")
        found |= dict.fromkeys(inside)
    return list(found)


def _has_stories(file: Path) -> bool:
    try:
        with file.open("rb") as lines:
            return any(line.startswith(b"stories:") for line in lines)
    except OSError:
        # Whatever it is, reading it again says why.
        return file.is_file()
