"""Writes edits into a directory. What one row is refused for does not keep the others out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from usherd.errors import AlreadyExists, BrokenReference, EtagMismatch, Fault, FieldInvalid, NotFound
from usherd.store import Edit

BATCH = 200
"""Edits in one step: others that write wait as long as it takes."""
MOST_REFUSED = 100
"""Refused rows after which the import ends: something is wrong with all of them."""

REFUSALS = (AlreadyExists, BrokenReference, EtagMismatch, FieldInvalid, NotFound)


class Target(Protocol):
    """A directory that is written to."""

    async def apply(self, edits: Sequence[Edit], request_id: str) -> tuple[int, str]:
        """Makes as many of the edits, from the first on, as one step takes, or none; says how many, and the revision.

        The same again under the same id does nothing more. Raises Fault.
        """


class EndedEarly(Exception):
    """The import has ended early, for a reason that is its cause."""

    def __init__(self, made: int) -> None:
        super().__init__(made)
        self.made = made
        """Edits that were made until then; they stay."""


async def write(
    target: Target,
    edits: Sequence[Edit],
    heard: Callable[[int, int], None],
    refused: Callable[[Edit, Fault], None],
) -> int:
    """Makes the edits in their order, and returns how many were made. Raises EndedEarly, whose cause is a Fault.

    `heard` hears how many are done of how many, `refused` of each edit that the directory does not take.
    """
    run, done, misses, size = secrets.token_hex(8), 0, 0, BATCH
    while done < len(edits):
        try:
            made, _ = await target.apply(edits[done : done + size], f"import-{run}-{done}-{size}")
        except REFUSALS as fault:
            if size > 1:
                size = min(size, len(edits) - done) // 2 or 1
                continue
            refused(edits[done], fault)
            done, misses = done + 1, misses + 1
            if misses >= MOST_REFUSED:
                raise EndedEarly(done - misses) from fault
        except Fault as fault:
            raise EndedEarly(done - misses) from fault
        else:
            done += made
        size = min(BATCH, size * 2)
        heard(done, len(edits))
    return done - misses
