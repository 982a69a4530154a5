"""Tells changes as they come: WatchChanges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from usher.v1 import change_pb2
from usherd.calls import Call
from usherd.changes import Change, RowKind
from usherd.errors import ChangesCompacted, FieldInvalid, Overloaded, ShuttingDown, SlowReader
from usherd.rpc.directory import requests, revisions
from usherd.rpc.directory.head import Head
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.guard import Context
from usherd.rpc.health import Readiness
from usherd.rpc.messages import whole_and_nanos
from usherd.store import Changes, Store

SILENCE = 3.0
"""Seconds without a word at most."""
PATIENCE = 30.0
"""Seconds that a caller may take to read one message."""
STRETCH = 1000
"""Changes that are read at a time."""


class WatchChanges:
    """The streams of changes."""

    def __init__(self, kept: KeptDirectory, readiness: Readiness, *, watchers: int) -> None:
        """At most so many at a time. They end when the server does."""
        self._kept = kept
        self._readiness = readiness
        self._room = watchers
        self._head = Head(kept)

    async def serve(self, data: bytes, context: Context, call: Call) -> None:
        """One stream. It ends with a fault only."""
        store = self._kept.opened()
        request = requests.read(change_pb2.WatchChangesRequest, data)
        kinds, given = _kinds(request), request.after_revision
        after = head = await store.head()
        if given:
            after = revisions.after(store, given, "after_revision")
            if after > head:
                raise FieldInvalid("after_revision", "one that is not still to come")
        if self._room <= 0:
            raise Overloaded
        self._room -= 1
        try:
            async with self._head.watched(), aclosing(self._events(store, after, kinds)) as events:
                async for event in events:
                    await _write(context, event)
        finally:
            self._room += 1

    async def _events(
        self, store: Store, after: int, kinds: frozenset[int] | None
    ) -> AsyncGenerator[change_pb2.WatchChangesResponse, None]:
        mark: float | None = None
        while True:
            newest = self._head.newest
            stretch = await _stretch(store, after, mark)
            self._head.looked(newest, stretch.head)
            mark = stretch.changes[-1].committed_at if stretch.changes else stretch.mark
            for change in stretch.changes:
                if kinds is None or change.kind in kinds:
                    yield change_pb2.WatchChangesResponse(change=_change(store, change))
            after = stretch.through
            caught_up = after >= stretch.head
            checkpoint = change_pb2.WatchChangesResponse.Checkpoint(
                revision=revisions.told(store, after), caught_up=caught_up
            )
            yield change_pb2.WatchChangesResponse(checkpoint=checkpoint)
            if caught_up:
                await self._wait(after)

    async def _wait(self, after: int) -> None:
        """Until there is something to tell: a change, or that there is none."""
        beyond = asyncio.ensure_future(self._head.beyond(after))
        ending = asyncio.ensure_future(self._ending())
        try:
            await asyncio.wait((beyond, ending), timeout=SILENCE, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                # A stream that stayed would hold up the end of the server.
                raise ShuttingDown
        finally:
            beyond.cancel()
            ending.cancel()

    async def _ending(self) -> None:
        while True:
            changed = self._readiness.changed()
            if self._readiness.ending:
                return
            await changed.wait()


async def _stretch(store: Store, after: int, mark: float | None) -> Changes:
    """What has changed since that revision, whose last change was committed at `mark` (None: that is not known).

    Raises ChangesCompacted where that revision is of a log which is lost: of a database that was restored.
    """
    try:
        stretch = await store.changes(after, STRETCH)
    except FieldInvalid:
        # It was there when the stream began.
        raise ChangesCompacted from None
    if mark is not None and stretch.mark not in (None, mark):
        raise ChangesCompacted
    return stretch


async def _write(context: Context, event: change_pb2.WatchChangesResponse) -> None:
    try:
        async with asyncio.timeout(PATIENCE) as timer:
            await context.write(event.SerializeToString(deterministic=True))
    except TimeoutError:
        if not timer.expired():
            raise
    else:
        return
    raise SlowReader


def _kinds(request: Any) -> frozenset[int] | None:
    """The kinds that are asked for; None: all."""
    for place, kind in enumerate(request.kinds):
        if kind not in set(RowKind):
            raise FieldInvalid(f"kinds[{place}]", "a kind that this server knows")
    found = frozenset(request.kinds)
    if len(found) != len(request.kinds):
        raise FieldInvalid("kinds", "each once")
    return found or None


def _change(store: Store, change: Change) -> change_pb2.DirectoryChange:
    team, own = _place(change.id) if change.kind is RowKind.MEMBERSHIP else ("", change.id)
    seconds, nanos = whole_and_nanos(change.committed_at)
    message = change_pb2.DirectoryChange(
        revision=revisions.told(store, change.revision),
        kind=change_pb2.RowKind.Name(change.kind),
        id=own,
        team_id=team,
        action=change_pb2.DirectoryChange.Action.Name(change.change),
    )
    message.committed_at.seconds, message.committed_at.nanos = seconds, nanos
    return message


def _place(place_id: str) -> tuple[str, str]:
    """(team's id, user's id) of a place, as `facts.place_id` names it."""
    length, _, rest = place_id.partition(":")
    return rest[: int(length)], rest[int(length) + 1 :]
