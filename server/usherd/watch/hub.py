"""Hears what changes, finds whose decisions that may touch, and has them looked at again, a few at a time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from usherd.changes import Lookup, News, Ref, Sought
from usherd.domain import DependencyKind
from usherd.errors import DirectoryUnavailable, Fault, Overloaded, ShuttingDown
from usherd.ports import Clock, Stopwatch
from usherd.watch.events import Cause
from usherd.watch.index import Index
from usherd.watch.judging import Judging
from usherd.watch.pace import Pace
from usherd.watch.stream import Deciding, Stream
from usherd.watch.subscription import Subscription
from usherd.watch.tally import Tally
from usherd.watch.waves import Wave

_LOOKS_EVERY = 1.0
"""Seconds: how late a clock that jumps, or a directory that went stale, is noticed."""
_AT_A_TIME = 8
"""Streams that go on in one turn of the event loop, when many have to."""
_KEYS_EACH = 48
"""Keys of the index for each subscription, as an average over all."""

_REVOKING = frozenset({Sought.JTI, Sought.SUBJECT, Sought.ISSUER, Sought.SESSION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is kept true at most, and how often that is said. Seconds."""

    streams: int = 10_000
    subscriptions: int = 100_000
    """On all streams together."""
    checkpoint_every: float = 5.0
    patience: float = 5.0
    """How long a fault may keep a decision from being looked at again before it is given up."""
    read_within: float = 10.0
    """How long an event may wait to be taken by whoever reads the stream."""
    age: float = 600.0
    """How long a connection is used: streams end before it does."""

    @property
    def max_silence(self) -> float:
        """How long a stream is silent at most while its decisions hold."""
        return 3 * self.checkpoint_every


class Hub:
    """All living decisions of a server."""

    def __init__(
        self,
        bounds: Bounds,
        *,
        clock: Clock,
        stopwatch: Stopwatch,
        chance: Callable[[], float],
        tally: Tally | None = None,
    ) -> None:
        """`chance` gives numbers from 0 to 1, to spread by what would happen to all at once."""
        self.bounds = bounds
        self.clock = clock
        self.stopwatch = stopwatch
        self.chance = chance
        self.tally = Tally() if tally is None else tally
        self.pace = Pace(stopwatch)
        self.judging: Judging | None = None
        """None: nobody answers yet."""
        self.heard = 0
        """Grows with whatever is heard: what was read before may be old after."""
        self.subscriptions = 0
        self._index: Index[Subscription] = Index()
        self._streams: dict[Stream, None] = {}
        # What has changed and somebody depends on: each once, so that it is no longer than the index.
        self._due: dict[Ref | Lookup, tuple[Cause, Wave]] = {}
        self._spreading = False
        self._waking: deque[Stream] = deque()
        self._timers: list[tuple[float, int, Subscription]] = []
        self._count = itertools.count()
        self._ahead = clock() - stopwatch()
        """How far the clock was ahead of the stopwatch, at most, since all was looked at for its having gone back."""
        self._wake = asyncio.Event()
        self._closing = False

    @property
    def streams(self) -> int:
        """Streams that live now."""
        return len(self._streams)

    @property
    def settled(self) -> bool:
        """Whether everybody who depends on what was heard knows that it has to be looked at again."""
        return not self._due and not self._spreading

    def answer_with(self, judging: Judging) -> None:
        """From now on these decide; every decision is looked at again."""
        before, self.judging = self.judging, judging
        if before is not None:
            self._all(Cause.POLICY, self.clock())

    def hear(self, news: News) -> None:
        """Hears of a change (`changes.Listening`)."""
        self.heard += 1
        if news.touched is None:
            self._all(Cause.DIRECTORY, news.committed_at)
            return
        wave = Wave(news.committed_at, self._over)
        for ref in news.touched:
            # Of a change of very many rows, nearly all are nobody's here.
            if ref in self._index:
                self._hear_of(ref, _cause_of(ref[0]), wave)
        for lookup in news.lookups:
            if lookup.sought in _REVOKING:
                cause = Cause.SESSION_REVOKED if lookup.sought is Sought.SESSION else Cause.TOKEN_REVOKED
                self._hear_of(lookup, cause, wave)
        wave.leave()

    def keys_changed(self, issuer: str) -> None:
        """The keys of that issuer may be others than before."""
        self.heard += 1
        wave = Wave(self.clock(), self._over)
        self._hear_of(Lookup(Sought.ISSUER, (issuer,)), Cause.KEY_REMOVED, wave)
        wave.leave()

    def _hear_of(self, key: Ref | Lookup, cause: Cause, wave: Wave) -> None:
        if key in self._index and key not in self._due:
            wave.hold()
            self._due[key] = (cause, wave)
            self._wake.set()

    def _all(self, cause: Cause, committed_at: float) -> None:
        self.heard += 1
        wave = Wave(committed_at, self._over)
        for stream in self._streams:
            stream.look_at_all(cause, wave)
            self._call(stream)
        wave.leave()

    def _over(self, wave: Wave) -> None:
        self.tally.told_after(max(0.0, self.clock() - wave.committed_at))

    # Streams.

    def open(self, deciding: Deciding, most: int, *, only_written: bool = False) -> Stream:
        """A new stream of at most so many subscriptions; `only_written` as `Stream`. Raises Overloaded and
        ShuttingDown."""
        if self._closing:
            raise ShuttingDown
        if len(self._streams) >= self.bounds.streams:
            raise Overloaded
        stream = Stream(self, deciding, most, only_written=only_written)
        self._streams[stream] = None
        return stream

    def forget_stream(self, stream: Stream) -> None:
        """It is over."""
        self._streams.pop(stream, None)

    def room(self) -> None:
        """Raises Overloaded when there is no room for one more subscription."""
        if self.subscriptions >= self.bounds.subscriptions:
            raise Overloaded
        if self._index.entries >= self.bounds.subscriptions * _KEYS_EACH:
            raise Overloaded

    def enter(self, subscription: Subscription, keys: frozenset[Ref | Lookup]) -> None:
        """News about these find it from now on, and no others."""
        before = subscription.keys
        self._index.discard(before - keys, subscription)
        self._index.add(keys - before, subscription)
        subscription.keys = keys

    def set_timer(self, subscription: Subscription) -> None:
        """It is looked at when its time comes."""
        at = min(subscription.look_at, subscription.notice_at)
        if at >= subscription.timer_at or at == math.inf:
            # A timer that comes too early looks when it has to come again.
            return
        subscription.timer_at = at
        heapq.heappush(self._timers, (at, next(self._count), subscription))
        if len(self._timers) > 2 * self.subscriptions + 1000:
            self._timers = [each for each in self._timers if each[2].timer_at == each[0] and not each[2].closed]
            heapq.heapify(self._timers)
        self._wake.set()

    def _call(self, stream: Stream) -> None:
        # One that is at work looks for itself what there is to do, before it rests.
        if stream.rests and not stream.called:
            stream.called = True
            self._waking.append(stream)
            self._wake.set()

    # What goes on by itself.

    def look(self) -> None:
        """The time may be another one than was thought."""
        self._wake.set()

    def fail(self, fault: Fault) -> None:
        """Nothing can be kept true any more: all streams end with that fault, a few at a time."""
        for stream in tuple(self._streams):
            stream.fail(fault)
            self._call(stream)

    async def run(self) -> None:
        """Never returns: spreads what was heard, and looks at the time."""
        looked_at = self.stopwatch()
        while True:
            self._wake.clear()
            self._look_at_timers()
            if self.stopwatch() - looked_at >= _LOOKS_EVERY:
                looked_at = self.stopwatch()
                self._look_at_directory()
                self._look_at_clock()
            await self._spread()
            await self._call_some()
            if not self._due and not self._waking:
                await self._rest()

    async def _rest(self) -> None:
        until = self._timers[0][0] - self.clock() if self._timers else _LOOKS_EVERY
        loop = asyncio.get_running_loop()
        timer = loop.call_later(min(max(until, 0.0), _LOOKS_EVERY), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _spread(self) -> None:
        while self._due:
            key = next(iter(self._due))
            cause, wave = self._due.pop(key)
            self._spreading = True
            try:
                for place, subscription in enumerate(self._index.at(key)):
                    if not subscription.closed:
                        self.touch(subscription, cause, wave)
                    if place % 256 == 255:
                        await self.pace.rest()
            finally:
                self._spreading = False
                wave.leave()

    def touch(self, subscription: Subscription, cause: Cause | None, wave: Wave | None) -> None:
        """It has to be looked at again."""
        subscription.because(cause)
        subscription.touched_by(wave)
        subscription.stream.look_at(subscription)
        self._call(subscription.stream)

    async def _call_some(self) -> None:
        for _ in range(min(_AT_A_TIME, len(self._waking))):
            stream = self._waking.popleft()
            stream.called = False
            stream.go_on()
        await asyncio.sleep(0)

    def _look_at_timers(self) -> None:
        now = self.clock()
        while self._timers and self._timers[0][0] <= now:
            at, _, subscription = heapq.heappop(self._timers)
            if subscription.closed or subscription.timer_at != at:
                continue
            subscription.timer_at = math.inf
            if subscription.notice_at <= now:
                subscription.notice_at = math.inf
                subscription.stream.notice(subscription)
                self._call(subscription.stream)
            if subscription.look_at <= now:
                subscription.look_at = math.inf
                self.touch(subscription, None, None)
            self.set_timer(subscription)

    def _look_at_directory(self) -> None:
        # Asking also tells a directory that a budget's period may be over.
        if self.judging is not None and self._streams and self.judging.revision() is None:
            self.fail(DirectoryUnavailable())

    def _look_at_clock(self) -> None:
        # Keys are trusted for a while by the stopwatch: by a clock that was set back, they would be for too long.
        ahead = self.clock() - self.stopwatch()
        if ahead >= self._ahead - _LOOKS_EVERY:
            self._ahead = max(self._ahead, ahead)
            return
        self._ahead = ahead
        wave = Wave(self.clock(), lambda wave: None)
        for stream in self._streams:
            stream.look_at_all(None, wave)
            self._call(stream)
        wave.leave()

    async def drain(self, seconds: float) -> None:
        """Takes no new streams, and sends away those that live, spread over so many seconds."""
        self._closing = True
        streams: Iterable[Stream] = tuple(self._streams)
        each = seconds / max(1, self.streams)
        begun = self.stopwatch()
        for place, stream in enumerate(streams):
            stream.send_away()
            stream.go_on()
            ahead = begun + place * each - self.stopwatch()
            if ahead > 0.02 or place % _AT_A_TIME == 0:
                await asyncio.sleep(max(0.0, ahead))


def _cause_of(kind: DependencyKind) -> Cause:
    if kind is DependencyKind.BUDGET:
        return Cause.BUDGET
    return Cause.TOKEN_REVOKED if kind is DependencyKind.TOKEN else Cause.DIRECTORY
