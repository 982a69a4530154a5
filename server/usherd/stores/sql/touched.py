"""What changes touch, worked out a little at a time: one transaction may have changed very many rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from usherd.changes import Change, Lookup, Ref, refs_of
from usherd.stores.announcer import refs_of_all
from usherd.turns import Turn


class Touched:
    """What some changes touch, in the directory's words and in those of policies."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.lookups: tuple[Lookup, ...] = ()
        """Each once."""
        self._refs: dict[str | None, frozenset[Ref]] = {}

    @classmethod
    async def by(cls, changes: Sequence[Change], bare_ids_for: Iterable[str | None]) -> Touched:
        """What these changes touch under policies with those only issuers (None: it has several)."""
        touched, turn = cls(changes), Turn(time.perf_counter)
        lookups: dict[Lookup, None] = {}
        refs: dict[str | None, set[Ref]] = {each: set() for each in bare_ids_for}
        for change in changes:
            for lookup in change.lookups:
                lookups[lookup] = None
                for issuer, found in refs.items():
                    found.update(refs_of(lookup, issuer))
            await turn.maybe_yield()
        touched.lookups = tuple(lookups)
        touched._refs = {issuer: frozenset(found) for issuer, found in refs.items()}
        return touched

    def refs(self, bare_ids_for: str | None) -> frozenset[Ref]:
        """Every dependency of such a policy whose value may be another now."""
        found = self._refs.get(bare_ids_for)
        if found is None:
            # A policy that has come meanwhile.
            found = self._refs[bare_ids_for] = refs_of_all(self.lookups, bare_ids_for)
        return found
