"""Watches every subject on one stream, as a client's cache does: it resumes wherever a replica answers, and takes what
it holds as unknown after silence."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from chaos.calling import OPTIONS, is_strange, revision_of
from chaos.checkers import GRACE, CutOff
from chaos.ledger import SLACK, Kind, Ledger, Sight, Subject
from chaos.score import Score
from chaos.world import MAX_SILENCE, MODEL, ROUTE
from tools.rpc_world import SERVICE, ended
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, question_pb2

LATE = 0.5
"""Seconds that an event may take from a replica until this process has read it, while that runs as it should."""
BEAT = 0.05
AGAIN_AFTER = 0.1
BATCH = 100


class Pulse:
    """How late this process is: what it sees late it must not take for late."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque([0.0], maxlen=60)

    @property
    def late(self) -> float:
        """Seconds that an event may be older than when it is read."""
        return LATE + max(self._lags)

    async def beat(self) -> None:
        """For ever."""
        while True:
            due = time.monotonic() + BEAT
            await asyncio.sleep(BEAT)
            self._lags.append(time.monotonic() - due)


@dataclass(slots=True)
class Held:
    """What a client holds of one subject."""

    subject: Subject
    closed: bool | None = None
    """None: unknown."""


class Watcher:
    """One client."""

    def __init__(
        self, number: int, addresses: Sequence[str], ledger: Ledger, score: Score, cut_off: CutOff, pulse: Pulse
    ) -> None:
        """It begins with the replica of its number, and goes on to the next when that fails."""
        self.number = number
        self._addresses = addresses
        self._ledger = ledger
        self._score = score
        self._cut_off = cut_off
        self._pulse = pulse
        self._held: dict[int, Held] = {}
        self._next_id = 1
        self._subscribed = 0
        self._revision = 0
        self.last_message = 0.0
        self.connected_to = -1

    @property
    def knows_all(self) -> bool:
        """Whether it holds something about every subject."""
        held = self._held.values()
        return len(held) == len(self._ledger.subjects) and all(each.closed is not None for each in held)

    def holds(self, now: float) -> list[Held]:
        """What it serves by: nothing after silence."""
        if now > self.last_message + MAX_SILENCE:
            return []
        return [each for each in self._held.values() if each.closed is not None]

    async def run(self) -> None:
        """For ever."""
        turn = self.number
        while True:
            self.connected_to = turn % len(self._addresses)
            address = self._addresses[self.connected_to]
            asked = time.monotonic()
            try:
                async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
                    await self._stream(channel, asked)
            except grpc.aio.AioRpcError as error:
                fault = ended(error)
                self._score.answers[f"stream: {fault.code.name} {fault.reason}".strip()] += 1
                if is_strange(fault):
                    self._score.broke(
                        "strange_faults", asked, call="Subscribe", fault=f"{fault.code.name} {fault.reason}"
                    )
            except TimeoutError:
                self._score.answers["stream: silent"] += 1
            finally:
                # A stream that is lost means unknown.
                self._held.clear()
            self._score.reconnects += 1
            turn += 1
            await asyncio.sleep(AGAIN_AFTER * (0.5 + random.random()))

    async def _stream(self, channel: grpc.aio.Channel, asked: float) -> None:
        stream = channel.stream_stream(f"{SERVICE}/Subscribe", None, api.SubscribeResponse.FromString)()
        self._held, self._next_id, self._subscribed, self._revision = {}, 1, 0, 0
        self._asked: dict[int, float] = {}
        adding = asyncio.create_task(self._subscribe(stream))
        try:
            while True:
                async with asyncio.timeout(max(MAX_SILENCE + LATE, 3.0)):
                    event = await stream.read()
                if event is grpc.aio.EOF:
                    self._score.answers["stream: ended"] += 1
                    return
                self._hear(event)
                if adding.done():
                    adding.result()
        finally:
            adding.cancel()
            await asyncio.gather(adding, return_exceptions=True)
            stream.cancel()

    async def _subscribe(self, stream: Any) -> None:
        """Subscribes to what there is, and to each subject that comes."""
        while True:
            fresh = self._ledger.subjects[self._subscribed :][:BATCH]
            if fresh:
                request = api.SubscribeRequest()
                for subject in fresh:
                    question = question_pb2.Question(token=subject.token, route=ROUTE, method="POST", model=MODEL)
                    request.add.add(id=self._next_id, question=question)
                    self._held[self._next_id] = Held(subject)
                    self._asked[self._next_id] = time.monotonic()
                    self._next_id += 1
                self._subscribed += len(fresh)
                await stream.write(request.SerializeToString())
            else:
                await asyncio.sleep(0.05)

    def _hear(self, event: api.SubscribeResponse) -> None:
        now, kind = time.monotonic(), event.WhichOneof("event")
        self._score.answers[f"event: {kind}"] += 1
        self.last_message = now
        self._cut(kind, now)
        held = self._held.get(event.id)
        match kind:
            case "checkpoint":
                self._checkpoint(revision_of(event.checkpoint.revision), now)
            case "decision" if held is not None:
                self._decided(held, event.decision, self._asked[event.id], now)
            case "changed" if held is not None:
                self._decided(held, event.changed.decision, now - self._pulse.late, now)
            case "ended" if held is not None:
                self._decided(held, event.ended.decision, now - self._pulse.late, now)
            case "fault" | "resync" if held is not None:
                held.closed = None
                del self._held[event.id]
                self._again(held.subject)
            case _:
                pass

    def _again(self, subject: Subject) -> None:
        """One subscription has ended without an answer: the stream is begun anew, which is the simplest client."""
        raise TimeoutError

    def _decided(self, held: Held, decision: decision_pb2.Decision, since: float, now: float) -> None:
        subject, revision = held.subject, revision_of(decision.revision)
        held.closed = decision.effect != decision_pb2.EFFECT_ALLOW
        subject.sights.append(Sight(self.number, now, held.closed, revision))
        told = {"watcher": self.number, "replica": self.connected_to, "subject": subject.name, "by": "Subscribe"}
        if not self._ledger.answer_is_right(subject, closed=held.closed, asked=since, answered=now):
            self._score.broke("wrong_deny" if held.closed else "wrong_allow", now, **told)
        if not self._ledger.fits_revision(subject, closed=held.closed, revision=revision):
            name = "deny_against_its_revision" if held.closed else "allow_against_its_revision"
            self._score.broke(name, now, revision=decision.revision, **told)

    def _checkpoint(self, revision: int, now: float) -> None:
        told = {"watcher": self.number, "replica": self.connected_to, "revision": revision, "by": "checkpoint"}
        if not self._ledger.checkpoint_is_fresh(revision, now - self._pulse.late):
            self._score.broke("stale_checkpoints", now, newest=self._ledger.revision_by(now), **told)
        if revision < self._revision:
            self._score.broke("stale_checkpoints", now, before=self._revision, **told)
        self._revision = revision
        for held in self._held.values():
            if held.closed is None or self._ledger.fits_revision(held.subject, closed=held.closed, revision=revision):
                continue
            # The checkpoint confirms what is not so.
            name = "revocations_missed" if held.subject.kind is Kind.REVOCATION else "allow_against_its_revision"
            self._score.broke(
                "deny_against_its_revision" if held.closed else name, now, subject=held.subject.name, **told
            )

    def _cut(self, kind: str | None, now: float) -> None:
        since = self._cut_off.since
        says = kind in ("checkpoint", "decision", "changed")
        if since is not None and says and now > since + self._ledger.max_staleness + GRACE + self._pulse.late:
            self._score.broke("stale_checkpoints", now, watcher=self.number, event=kind, by="cut off")


async def overlook(watchers: Sequence[Watcher], ledger: Ledger, score: Score, pulse: Pulse) -> None:
    """For ever: sees that nobody goes on by an ALLOW that was taken back longer ago than it may take to hear of it."""
    told: set[tuple[int, str, float]] = set()
    while True:
        now = time.monotonic()
        longest = ledger.max_staleness + MAX_SILENCE + pulse.late + SLACK
        for watcher in watchers:
            for held in watcher.holds(now):
                last = held.subject.writes[-1]
                key = (watcher.number, held.subject.name, last.began)
                if held.closed is False and last.closed and now > last.ended + longest and key not in told:
                    told.add(key)
                    score.broke("served_too_long", now, watcher=watcher.number, subject=held.subject.name)
        await asyncio.sleep(0.1)
