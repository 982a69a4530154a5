"""What has changed in a directory lately: whether a verdict from before still stands.

A verdict is a function of what it depends on. Who remembers one together with the revision that it was found to stand
at can ask here whether any of that has changed since; whatever is not known to be unchanged has changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from usherd.changes import Ref
from usherd.domain import Dependency, Verdict


class History:
    """Which dependencies have changed since some revision, and when last. One for each line of revisions: when anything
    may have changed, another one begins."""

    __slots__ = ("_floor", "_half", "_last", "_middle", "_older")

    def __init__(self, revision: int, most: int = 65_536) -> None:
        """It begins at that revision, and remembers `most` changes, 2 or more: of what changed before them, everything
        may be."""
        self._floor = self._middle = revision
        self._last: dict[Ref, int] = {}
        self._older: dict[Ref, int] = {}
        self._half = most // 2

    def note(self, revision: int, touched: Iterable[Ref]) -> None:
        """These have changed, at a revision later than all before."""
        for ref in touched:
            self._last[ref] = revision
        if len(self._last) > self._half:
            # The older half is forgotten: what was known at the revision at which it ended is still known.
            self._floor, self._middle = self._middle, revision
            self._older, self._last = self._last, {}

    def stands(self, depends_on: Iterable[Dependency], since: int) -> bool:
        """Whether none of these has changed after that revision."""
        if since < self._floor:
            return False
        last, older = self._last, self._older
        for kind, key, _, _ in depends_on:
            ref = (kind, key)
            if last.get(ref, 0) > since or older.get(ref, 0) > since:
                return False
        return True


class Standing:
    """A verdict, and the revision that it was last found to stand at."""

    __slots__ = ("_revision", "verdict")

    def __init__(self, verdict: Verdict, revision: int) -> None:
        """`revision` is that of the facts that it was made of."""
        self.verdict = verdict
        self._revision = revision

    def holds(self, history: History, revision: int) -> bool:
        """Whether it stands by facts of that revision, too, which are of that history. Of facts from before it was
        made nothing is known."""
        if self._revision == revision:
            return True
        if self._revision > revision or not history.stands(self.verdict.depends_on, self._revision):
            return False
        self._revision = revision
        return True

    def is_newer_than(self, revision: int) -> bool:
        """Whether it was found to stand at a later one."""
        return self._revision > revision
