"""Keeps inputs away from the machine: what they name is looked up in memory, and few modules can be imported."""

from __future__ import annotations

import importlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from usherd.config import hook

MODULES = frozenset({"json", "math", "os.path", "keyring", "commands"})
"""Modules that an operator's own check may be of: any other might do anything when it is imported."""


class File(type(Path())):  # type: ignore[misc]
    """A path in a folder of a few files, which are in memory."""

    FILES: ClassVar[dict[str, bytes]] = {}

    def open(self, *args: Any, **kwargs: Any) -> io.BytesIO:
        """The file's bytes. Raises as a real one does."""
        text = str(self)
        if "\0" in text:
            raise ValueError("embedded null byte")
        if text not in self.FILES:
            raise FileNotFoundError(2, "No such file or directory")
        return io.BytesIO(self.FILES[text])

    def exists(self, *args: Any, **kwargs: Any) -> bool:
        """Whether it is one of them."""
        return str(self) in self.FILES

    def is_file(self) -> bool:
        """Whether it is one of them."""
        return self.exists()

    def stat(self, *args: Any, **kwargs: Any) -> os.stat_result:
        """The size, and nothing else that is true."""
        size = len(self.open().getvalue())
        return os.stat_result((stat.S_IFREG | 0o600, 1, 1, 1, 0, 0, size, 0, 0, 0))


def _import_module(name: str) -> Any:
    if name not in MODULES:
        raise ModuleNotFoundError(name)
    return importlib.import_module(name)


@contextmanager
def few_modules() -> Iterator[None]:
    """Within it no input can import what is not listed here."""
    real = hook.importlib
    hook.importlib = SimpleNamespace(import_module=_import_module)  # type: ignore[assignment]
    try:
        yield
    finally:
        hook.importlib = real
