"""Which sessions are valid, as one replica knows it: each use asks, and what is not known is looked up, not guessed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from usherd.changes import News, Sought
from usherd.domain import VerifiedToken
from usherd.errors import DirectoryUnavailable, Refusal, SessionsUnavailable
from usherd.ports import Clock
from usherd.reasons import Reason
from usherd.sessions import Session

MAX_KNOWN = 100_000
"""Sessions that are remembered, those that were used last; some 200 bytes each. Any other is looked up."""
MAX_LOOKED_UP = 32
"""Sessions that are looked up at a time; further ones wait for their turn."""

LookUp = Callable[[str], Awaitable[Session | None]]
"""Reads a session where it is kept. Raises DirectoryUnavailable."""


class LiveSessions:
    """What is known of sessions. News make it forget, so that it knows nothing that is no longer so."""

    def __init__(self, look_up: LookUp, clock: Clock, current: Callable[[], bool], size: int = MAX_KNOWN) -> None:
        """`current` says whether news of the last seconds have been heard."""
        self._look_up = look_up
        self._clock = clock
        self._current = current
        self._size = size
        self._valid: OrderedDict[str, bool] = OrderedDict()
        self._looking: dict[str, asyncio.Task[bool]] = {}
        self._tasks: set[asyncio.Task[bool]] = set()
        self._turns = asyncio.Semaphore(MAX_LOOKED_UP)

    def hear(self, news: News) -> None:
        """Follows (`changes.Listening`)."""
        if news.touched is None:
            self._valid.clear()
            self._looking.clear()
            return
        for each in news.lookups:
            if each.sought is Sought.SESSION:
                self._valid.pop(each.key[0], None)
                # What is being read may be what it was before: whoever asks from now on reads it again.
                self._looking.pop(each.key[0], None)

    def valid(self, token: VerifiedToken) -> bool | None:
        """Whether the session of a genuine token is valid; None: it is not known here. Raises SessionsUnavailable when
        nothing can be known now."""
        if not self._current():
            raise SessionsUnavailable
        session_id = session_id_of(token)
        known = self._valid.get(session_id)
        if known is not None:
            self._valid.move_to_end(session_id)
        return known

    async def check(self, token: VerifiedToken, patience: float) -> None:
        """Returns if the session of a genuine token is valid, after at most `patience` seconds.

        Raises Refusal (TOKEN_REVOKED), and SessionsUnavailable when that cannot be known.
        """
        known = self.valid(token)
        if known is None:
            known = await self._found(session_id_of(token), patience)
        if not known:
            raise Refusal(Reason.TOKEN_REVOKED)

    async def _found(self, session_id: str, patience: float) -> bool:
        try:
            async with asyncio.timeout(patience):
                while True:
                    task = self._looking.get(session_id)
                    if task is None:
                        task = self._begin(session_id)
                    found = await asyncio.shield(task)
                    if self._looking.get(session_id) is task:
                        # No news of it came while it was read.
                        del self._looking[session_id]
                        self._remember(session_id, found)
                        return found
                    if (known := self._valid.get(session_id)) is not None:
                        return known
        except (TimeoutError, DirectoryUnavailable):
            raise SessionsUnavailable from None

    def _begin(self, session_id: str) -> asyncio.Task[bool]:
        task = asyncio.create_task(self._read(session_id), name="session look-up")
        self._looking[session_id] = task
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, session_id))
        return task

    def _done(self, session_id: str, task: asyncio.Task[bool]) -> None:
        self._tasks.discard(task)
        # Its failure is told to those who wait, of whom there may be none left; whoever asks later reads it again.
        failed = task.cancelled() or task.exception() is not None
        if failed and self._looking.get(session_id) is task:
            del self._looking[session_id]

    async def _read(self, session_id: str) -> bool:
        async with self._turns:
            session = await self._look_up(session_id)
        return session is not None and session.revoked_at is None and self._clock() < session.expires_at

    def _remember(self, session_id: str, valid: bool) -> None:
        self._valid[session_id] = valid
        self._valid.move_to_end(session_id)
        if len(self._valid) > self._size:
            self._valid.popitem(last=False)

    def __len__(self) -> int:
        return len(self._valid)


def session_id_of(token: VerifiedToken) -> str:
    """The id of the session whose token it is."""
    session_id = token.claims.get("jti")
    return session_id if isinstance(session_id, str) else ""
