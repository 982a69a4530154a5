"""One stream of living decisions: what has to be said on it next."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Protocol

from usherd.domain import Decision, Question
from usherd.errors import DirectoryUnavailable, Fault, FaultReason, InvalidRequest, OutOfTime, ShuttingDown
from usherd.watch.causes import cause_of_end, cause_of_lapse
from usherd.watch.events import Cause, Changed, Checkpoint, EndedFor, Event, Expiring, Resync, kind_of
from usherd.watch.judging import Found
from usherd.watch.subscription import Subscription, says_the_same
from usherd.watch.waves import Wave

if TYPE_CHECKING:
    from usherd.watch.hub import Hub

_RETRY = 0.5
"""Seconds after which a decision is looked at again that could not be looked at, up to half of them more."""
_SOON = 0.05
"""Seconds after which a checkpoint is tried again that could not be given."""
_UNTOLD = 256
"""First decisions that may wait to be told before no more are made."""


class Deciding(Protocol):
    """Hears of every decision before it is told."""

    def decided(self, subscription: Subscription, decision: Decision) -> None:
        """Raises Fault where the decision must not leave without having been heard."""


class Stream:
    """Level-triggered: whoever asks for the next event gets the newest state, and nothing is queued but first answers.

    One task asks for events, and at most one other adds and removes subscriptions.
    """

    def __init__(self, hub: Hub, deciding: Deciding, most: int, *, only_written: bool = False) -> None:
        """`only_written`: a decision that wants something written is not told; a resync says that it has to be asked
        where that is done."""
        self._hub = hub
        self._only_written = only_written
        self._deciding = deciding
        self._most = most
        self._subscriptions: dict[int, Subscription] = {}
        self._explaining = 0
        self._last = 0
        self._untold: deque[Subscription | Event] = deque()
        self._fewer = asyncio.Event()
        self._look: dict[Subscription, None] = {}
        self._retry: dict[Subscription, float] = {}
        self._notices: dict[Subscription, None] = {}
        self._all: tuple[Cause | None, Wave] | None = None
        """Why all of it has to be looked at again."""
        self._held: list[Wave] = []
        """Changes whose event was given out, and is told when the next one is asked for."""
        self._fault: Fault | None = None
        self._away = False
        self._finishing = False
        self._over = False
        self._first = True
        self._revision = -1
        """The highest of the directory's that was told of."""
        now, bounds = hub.stopwatch(), hub.bounds
        self._checkpoint_at = now + bounds.checkpoint_every * (0.5 + hub.chance() / 2)
        # Before gRPC ends the connection, and not all at once.
        self._leave_at = now + bounds.age * (0.7 + 0.2 * hub.chance())
        self._waiting: asyncio.Future[None] | None = None
        self.called = False
        """Whether the hub is about to have it go on."""

    @property
    def rests(self) -> bool:
        """Whether it waits for something to say."""
        return self._waiting is not None

    @property
    def explains(self) -> bool:
        """Whether any explanation is told on it."""
        return self._explaining > 0

    def __len__(self) -> int:
        return len(self._subscriptions)

    # What its caller wants.

    def take_number(self, number: int) -> None:
        """That is the number of the next subscription. Raises InvalidRequest (SUBSCRIPTION_ID, SUBSCRIPTION_COUNT)."""
        if number <= self._last:
            raise InvalidRequest(FaultReason.SUBSCRIPTION_ID)
        if len(self._subscriptions) >= self._most:
            raise InvalidRequest(FaultReason.SUBSCRIPTION_COUNT)
        self._last = number

    async def add(
        self,
        number: int,
        question: Question,
        *,
        explain: bool = False,
        at_least: tuple[str, int] | None = None,
        request_id: str = "",
        patience: float = 2.0,
    ) -> None:
        """Makes the first decision, which is the next event, and keeps it true from then on. Raises Fault when there is
        none."""
        hub = self._hub
        hub.room()
        judging, heard = hub.judging, hub.heard
        if judging is None or self._away:
            raise ShuttingDown
        found = await judging.first(question, explain=explain, at_least=at_least, patience=patience)
        if self._only_written and found.writes:
            self._untold.append(Event(number, "", Resync(Cause.DIRECTORY)))
            self.go_on()
            return
        subscription = Subscription(self, number, question, explain, request_id)
        subscription.decision = found.decision
        self._deciding.decided(subscription, found.decision)
        self._subscriptions[number] = subscription
        hub.subscriptions += 1
        self._explaining += explain
        now = hub.clock()
        subscription.take(found, now)
        subscription.lead(now, hub.chance())
        hub.enter(subscription, frozenset((*found.depends_on, *found.looked_up)))
        hub.set_timer(subscription)
        self._untold.append(subscription)
        if hub.heard != heard or hub.judging is not judging:
            # It may have been about what had been read already, when nobody knew yet whom it touches.
            hub.touch(subscription, Cause.DIRECTORY if hub.judging is judging else Cause.POLICY, None)
        self.go_on()

    def refuse(self, number: int, fault: Fault) -> None:
        """Tells that there is no decision in place of the first one."""
        self._untold.append(Event(number, "", fault))
        self.go_on()

    def remove(self, number: int) -> None:
        """Nothing is told of it any more."""
        subscription = self._subscriptions.get(number)
        if subscription is not None:
            self._drop(subscription)

    def finish(self) -> None:
        """Nothing is added any more: it ends when nothing is subscribed any more."""
        self._finishing = True
        self.go_on()

    async def may_add(self) -> None:
        """Returns when few enough first decisions wait to be told."""
        while len(self._untold) >= _UNTOLD:
            self._fewer.clear()
            await self._fewer.wait()

    def close(self) -> None:
        """It is over, however it ended."""
        for subscription in tuple(self._subscriptions.values()):
            self._drop(subscription)
        self._let_go()
        if self._all is not None:
            self._all[1].leave()
            self._all = None
        self._hub.forget_stream(self)

    # What the hub has to say.

    def look_at(self, subscription: Subscription) -> None:
        """That one has to be looked at again."""
        if subscription.untold:
            subscription.waiting = True
            return
        self._retry.pop(subscription, None)
        self._look[subscription] = None

    def look_at_all(self, cause: Cause | None, wave: Wave) -> None:
        """All of them have to be looked at again; without a cause nothing has changed but the time."""
        if self._all is None:
            wave.hold()
            self._all = (cause, wave)
        elif cause is Cause.POLICY or self._all[0] is None:
            self._all = (cause, self._all[1])

    def notice(self, subscription: Subscription) -> None:
        """That one ends soon."""
        self._notices[subscription] = None

    def fail(self, fault: Fault) -> None:
        """Nothing can be kept true any more."""
        self._fault = fault

    def send_away(self) -> None:
        """It has to end, and its caller to go elsewhere."""
        self._away = True

    def go_on(self) -> None:
        """There may be something to say."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # What is said.

    async def next(self) -> Event | None:
        """The next event, whereby the one before counts as told; None: there will be no other.

        Raises Fault when the stream has to end with it.
        """
        self._let_go()
        while not self._over:
            self._take_all()
            event = self._at_once()
            if event is None and self._look:
                await self._hub.pace.rest()
                event = await self._look_again()
                if event is None:
                    self._let_go()
                    continue
            if event is not None:
                self._hub.tally.events[kind_of(event.what)] += 1
                return event
            if self._finishing and not self._subscriptions and not self._untold:
                return None
            await self._rest()
        return None

    def _let_go(self) -> None:
        for wave in self._held:
            wave.leave()
        self._held.clear()

    def _take_all(self) -> None:
        if self._all is not None:
            (cause, wave), self._all = self._all, None
            for subscription in self._subscriptions.values():
                subscription.because(cause)
                subscription.touched_by(wave)
                self.look_at(subscription)
            wave.leave()

    def _at_once(self) -> Event | None:
        """What can be said without looking at anything."""
        now = self._hub.stopwatch()
        if self._fault is not None:
            raise self._fault
        if self._away or now >= self._leave_at:
            self._away = self._over = True
            return Event(0, "", Resync(Cause.SERVER))
        for subscription in [each for each, at in self._retry.items() if at <= now]:
            self.look_at(subscription)
        # In turns: neither may keep the other from being said.
        self._first = not self._first
        if self._untold and (self._first or not self._look):
            return self._tell_first()
        if self._look:
            return None
        if self._notices:
            return self._tell_end()
        return self._checkpoint(now)

    def _tell_first(self) -> Event | None:
        told = self._untold.popleft()
        self._fewer.set()
        if isinstance(told, Event):
            return told
        if told.closed:
            return None
        decision = told.decision
        told.untold = False
        if told.waiting:
            self._look[told] = None
        if told.final:
            self._drop(told)
            self._untold.appendleft(
                Event(told.id, decision.decision_id, EndedFor(decision, Cause.TOKEN_REFUSED)),
            )
        self._revision = max(self._revision, told.revision)
        return Event(told.id, decision.decision_id, decision)

    def _tell_end(self) -> Event | None:
        subscription = next(iter(self._notices))
        del self._notices[subscription]
        kept = subscription.kept
        if subscription.closed or subscription.public or kept is None:
            return None
        cause = Cause.TOKEN_EXPIRED if kept.expires else Cause.INTROSPECTION
        return Event(subscription.id, subscription.decision.decision_id, Expiring(kept.ends_at, cause))

    def _checkpoint(self, now: float) -> Event | None:
        if now < self._checkpoint_at:
            return None
        self._checkpoint_at = now + _SOON
        judging = self._hub.judging
        # It may make the directory tell of something, so that it comes first.
        revision = None if judging is None else judging.revision()
        if revision is None or self._look or self._retry or self._all is not None or not self._hub.settled:
            return None
        if revision.number < self._revision:
            raise DirectoryUnavailable
        self._revision = revision.number
        self._checkpoint_at = now + self._hub.bounds.checkpoint_every
        return Event(0, "", Checkpoint(revision.text))

    async def _look_again(self) -> Event | None:
        subscription = next(iter(self._look))
        del self._look[subscription]
        if subscription.closed:
            return None
        hub = self._hub
        judging, heard = hub.judging, hub.heard
        cause, subscription.cause = subscription.cause, None
        wave, subscription.wave = subscription.wave, None
        if wave is not None:
            self._held.append(wave)
        hub.tally.looks += 1
        try:
            if judging is None:
                raise ShuttingDown
            async with asyncio.timeout(hub.bounds.patience):
                found = await judging.again(subscription.kept, subscription.question, explain=subscription.explain)
            if subscription.closed:
                return None
            event: Event | None
            if not isinstance(found, Found):
                event = self._lapsed(subscription, cause_of_lapse(found))
            elif self._only_written and found.writes:
                event = self._lapsed(subscription, Cause.DIRECTORY)
            else:
                event = self._compared(subscription, found, cause)
        except asyncio.CancelledError:
            # Whoever asks for the next event after all must not miss it.
            if not subscription.closed:
                subscription.because(cause)
                self._look[subscription] = None
            raise
        except TimeoutError:
            return self._failed(subscription, OutOfTime(), cause, wave)
        except Fault as fault:
            return self._failed(subscription, fault, cause, wave)
        if hub.heard != heard and not subscription.closed:
            # It may depend on something else now, which news meanwhile were about.
            hub.touch(subscription, cause, None)
        return event

    def _lapsed(self, subscription: Subscription, cause: Cause) -> Event:
        self._drop(subscription)
        return Event(subscription.id, subscription.decision.decision_id, Resync(cause))

    def _compared(self, subscription: Subscription, found: Found, cause: Cause | None) -> Event | None:
        if -1 < found.revision < max(subscription.revision, self._revision):
            # Less than was told already is known of a database that was restored, and it stays so: what was told is of
            # a time that is over.
            self.fail(DirectoryUnavailable())
            return None
        before, hub = subscription.decision, self._hub
        same = not found.final and says_the_same(before.verdict, found.decision.verdict)
        if not same:
            self._deciding.decided(subscription, found.decision)
            subscription.decision = found.decision
        subscription.failing_since = None
        subscription.take(found, hub.clock())
        if found.final:
            self._drop(subscription)
            ended = EndedFor(found.decision, cause_of_end(found.decision.verdict, cause))
            return Event(subscription.id, before.decision_id, ended)
        hub.enter(subscription, frozenset((*found.depends_on, *found.looked_up)))
        hub.set_timer(subscription)
        if same:
            return None
        self._revision = max(self._revision, found.revision)
        return Event(subscription.id, before.decision_id, Changed(found.decision, cause or Cause.TOKEN_EXPIRED))

    def _failed(self, subscription: Subscription, fault: Fault, cause: Cause | None, wave: Wave | None) -> Event | None:
        if subscription.closed:
            return None
        now = self._hub.stopwatch()
        if subscription.failing_since is None:
            subscription.failing_since = now
        if now - subscription.failing_since >= self._hub.bounds.patience:
            if isinstance(fault, DirectoryUnavailable):
                raise fault
            about = subscription.decision.decision_id
            self._drop(subscription)
            return Event(subscription.id, about, fault)
        subscription.because(cause)
        if wave is not None and subscription.wave is None:
            self._held.remove(wave)
            subscription.wave = wave
        if subscription not in self._look:
            self._retry[subscription] = now + _RETRY * (1 + self._hub.chance() / 2)
        return None

    def _drop(self, subscription: Subscription) -> None:
        subscription.closed = True
        del self._subscriptions[subscription.id]
        for each in (self._look, self._retry, self._notices):
            each.pop(subscription, None)
        self._hub.subscriptions -= 1
        self._explaining -= subscription.explain
        self._hub.enter(subscription, frozenset())
        if subscription.wave is not None:
            self._held.append(subscription.wave)
            subscription.wave = None

    async def _rest(self) -> None:
        if self._untold or self._look or self._notices:
            return
        until = min(self._checkpoint_at, self._leave_at, min(self._retry.values(), default=math.inf))
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(max(0.0, until - self._hub.stopwatch()), self.go_on)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None
