"""How background work on a database ends: what it is at comes to its end first, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

PATIENCE = 2.0
"""Seconds that work may take to come to its end."""


async def ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Returns when these have ended. They have been told to; what takes too long is cancelled.

    A statement that is cancelled costs its connection, and SQLite's threads would outlive the loop.
    """
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=PATIENCE)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)
