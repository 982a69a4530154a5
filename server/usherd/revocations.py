"""The list of tokens that were revoked before they expired: its entries, and how the change log tells them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from usherd.changes import Lookup, Sought

ONE_TOKEN = (Sought.TOKEN, Sought.JTI)
MANY_TOKENS = (Sought.SUBJECT, Sought.ISSUER)
"""What can be revoked: one token, or those that were issued before some moment."""

MAX_REVOCATIONS = 100_000
"""Entries of the list. A replica keeps all of them in memory, in at most `BYTES_EACH` each."""
RESERVED = 1_000
"""Places in it that single tokens never take: whoever has filled the list can still revoke by subject and issuer."""
BYTES_EACH = 1024
"""What one entry takes in a replica's memory, at most (a test measures it): long ids; with common ones it is half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is revoked, and for how long."""

    which: Lookup
    """A `Sought` of `ONE_TOKEN` or `MANY_TOKENS`, and its key."""
    issued_before: float | None = None
    """Seconds since the epoch; None for one token."""
    until: float
    """It counts before that, seconds since the epoch; infinite: until it is lifted."""

    def joined(self, other: Entry) -> Entry:
        """Both of two about the same: whatever one of them revokes is revoked as long as by the one that lasts."""
        before = max((each.issued_before for each in (self, other) if each.issued_before is not None), default=None)
        return replace(self, issued_before=before, until=max(self.until, other.until))


class Snapshot(NamedTuple):
    """The whole list at one revision."""

    entries: dict[Lookup, Entry]
    """By what each is about. Whoever gets it may keep and change it."""
    revision: int


def told(entry: Entry, revision: int, *, lifted: bool = False) -> Lookup:
    """What the change log says of an entry beside `entry.which`: all of it, as texts.

    The revision, the number of its `Sought`, `issued_before` or nothing, `until` or nothing for one that is lifted, and
    its key.
    """
    before = "" if entry.issued_before is None else repr(entry.issued_before)
    until = "" if lifted else repr(entry.until)
    return Lookup(Sought.REVOCATION, (str(revision), str(int(entry.which.sought)), before, until, *entry.which.key))


class Told(NamedTuple):
    """What `told` said."""

    revision: int
    which: Lookup
    entry: Entry | None
    """None: it was lifted."""


def heard(lookup: Lookup) -> Told:
    """Reads what `told` made. Raises ValueError for anything else."""
    revision, sought, before, until, *key = lookup.key
    which = Lookup(Sought(int(sought)), tuple(key))
    if which.sought not in ONE_TOKEN + MANY_TOKENS:
        raise ValueError("no revocation")
    if not until:
        return Told(int(revision), which, None)
    entry = Entry(which=which, issued_before=float(before) if before else None, until=float(until))
    if math.isnan(entry.until):
        raise ValueError("no revocation")
    return Told(int(revision), which, entry)
