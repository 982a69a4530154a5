"""Finds the shared cases and vectors, which are used from where they are and not copied into the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("USHERD_SHARED") or Path(__file__).resolve().parents[2] / "shared")
"""The folder that holds `vectors/`; beside the checkout unless USHERD_SHARED says otherwise."""

if "USHERD_SHARED" in os.environ and not (ROOT / "vectors").is_dir():
    # Whoever names the folder wants its cases run: a wrong path must not turn into skipped tests.
    raise pytest.UsageError(f"USHERD_SHARED={ROOT} has no vectors/ folder")

needs_shared = pytest.mark.skipif(
    not (ROOT / "vectors").is_dir(), reason="the shared vectors are not here (set USHERD_SHARED to their folder)"
)


def shared(path: str) -> Path:
    """The path of one shared file, for tests that carry the `needs_shared` mark."""
    return ROOT / path
