"""Makes the functions importable that recorded configurations name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = "oracle_fixtures"


@contextmanager
def importable(cases: Path) -> Iterator[None]:
    """As long as the block lasts, `oracle_fixtures` can be imported.

    It is looked for where Python looks, beside the cases and in the working folder; where it is nowhere, usherd's own
    takes its place.
    """
    path, known = list(sys.path), sys.modules.get(MODULE)
    # Behind everything else: a folder of cases must not stand in for installed modules.
    sys.path += [str(cases.resolve().parent), str(Path.cwd())]
    importlib.invalidate_caches()
    try:
        if known is None and importlib.util.find_spec(MODULE) is None:
            sys.modules[MODULE] = importlib.import_module("usherd.parity.oracle_fixtures")
        yield
    finally:
        sys.path[:] = path
        if known is None:
            sys.modules.pop(MODULE, None)
