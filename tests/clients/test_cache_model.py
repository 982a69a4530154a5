"""Whatever a server says, clocks do and callers ask: no hit that the rules forbid, and none missed that they grant.

The model beside the cache is a server that remembers what it has said: it knows the rules and nothing of the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clients import said
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, fault_pb2, question_pb2
from usher_client.entries import Outcome
from usher_client.keeping import DecisionCache
from usher_client.memory import Memory
from usher_client.subscriptions import FIRST_WORD, Subscriptions

SILENCE = 15.0
KEYS = [f"q{number}" for number in range(5)]
START = 2_000_000_000.0
SELDOM = st.integers(0, 9).map(lambda drawn: drawn == 9)
OFTEN = st.integers(0, 9).map(lambda drawn: drawn < 9)
KINDS = (
    *("decision", "changed", "expiring") * 3,
    "ended",
    "expiring",
    "resync",
    "fault",
    "overload",
    "nothing",
    "checkpoint",
)


@dataclass
class Subscribed:
    """What the server knows of a subscription."""

    key: str
    told: decision_pb2.Decision | None = None
    """What was told last; None: nothing yet."""
    good: bool = False
    """Whether a client may serve that."""


@dataclass
class Stream:
    """What the server knows of a stream."""

    client: Subscriptions
    subscribed: dict[int, Subscribed]
    spoken: bool = False
    heard_at: float = 0.0
    first_added_at: float | None = None


class Caching(RuleBasedStateMachine):
    @initialize(most=st.sampled_from([1, 2, 3, 10_000]))
    def begin(self, most: int) -> None:
        self.memory = Memory(DecisionCache(max_entries=most))
        self.most = most
        self.now, self.wall = 100.0, START
        self.stream: Stream | None = None
        self.names = 0
        self.waiting: list[tuple[str, list[Outcome]]] = []

    # Callers.

    @rule(key=st.sampled_from(KEYS))
    def ask(self, key: str) -> None:
        if self.served(key):
            return
        flight = self.memory.join((key,), question_pb2.Question(token=key), self.now)
        if flight is not None:
            assert self.stream is not None
            assert self.stream.spoken
            found: list[Outcome] = []
            flight.waiting.add(found.append)
            self.waiting.append((key, found))
        self.receive()

    @rule(key=st.sampled_from(KEYS))
    def look(self, key: str) -> None:
        self.served(key)

    # Time.

    @rule(seconds=st.one_of(st.floats(0, 3), st.floats(0, 3), st.floats(0, 3), st.floats(SILENCE - 1, SILENCE + 1)))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.one_of(st.floats(0, 3), st.floats(0, 20), st.floats(-20, 0)))
    def set_the_calendar(self, seconds: float) -> None:
        self.wall += seconds
        self.look_at_all()

    # The stream.

    @precondition(lambda self: self.stream is None)
    @rule()
    def open(self) -> None:
        assert self.memory.stream is None
        self.stream = Stream(self.memory.open(self.now), {})
        self.receive()

    @precondition(lambda self: self.stream is not None)
    @rule(really=SELDOM)
    def lose(self, really: bool) -> None:
        assert self.stream is not None
        if not really:
            return
        self.memory.lose(self.stream.client)
        self.stream = None

    @precondition(lambda self: self.stream is not None)
    @rule()
    def overlook(self) -> None:
        assert self.stream is not None
        due = self.now >= self.due(self.stream)
        assert self.memory.overdue(self.stream.client, self.now) == due
        if due:
            self.stream = None

    @precondition(lambda self: self.stream is not None)
    @rule(
        kind=st.sampled_from(KINDS),
        pick=st.integers(0, 50),
        keepable=OFTEN,
        lasts=st.sampled_from([1000.0, 1000.0, 1000.0, 10.0, 3.0, 0.0, -5.0]),
        allowed=st.booleans(),
        echo=OFTEN,
        good_terms=OFTEN,
    )
    def say(
        self, kind: str, pick: int, keepable: bool, lasts: float, allowed: bool, echo: bool, good_terms: bool
    ) -> None:
        assert self.stream is not None
        if not self.stream.subscribed:
            self.ask(KEYS[pick % len(KEYS)])
        if self.stream is None:
            return
        numbers = sorted(self.stream.subscribed) or [1]
        number = numbers[pick % len(numbers)]
        subscribed = self.stream.subscribed.get(number)
        if subscribed is not None and subscribed.told is None and kind not in ("fault", "overload"):
            kind = "decision" if pick % 7 else kind
        self.names += 1
        make = said.may if allowed else said.may_not
        decision = make(f"n{self.names}", until=max(1.0, self.wall + lasts), cacheable=keepable)
        before = "" if subscribed is None or subscribed.told is None else subscribed.told.decision_id
        about = (decision.decision_id if kind == "decision" else before) if echo else "another"
        body = self.body(kind, number, about, decision)
        if not self.stream.spoken:
            given = said.terms(SILENCE) if good_terms else said.terms(SILENCE, mode=api.MODE_ONCE)
            body = said.told(0, "", given) + body
        if not self.deliver(body, fine=good_terms or self.stream.spoken):
            return
        if subscribed is None:
            return
        new = (kind == "decision" and subscribed.told is None) or (kind == "changed" and subscribed.told is not None)
        if new and echo:
            subscribed.told = decision
            subscribed.good = keepable and self.wall < decision.valid_until.ToNanoseconds() / 1e9
        elif not (kind == "expiring" and echo):
            subscribed.good = False
        if not subscribed.good:
            self.stream.subscribed.pop(number, None)
        if kind == "decision" and new and echo:
            answers = [found for key, found in self.waiting if key == subscribed.key]
            assert all([each.wire for each in found] == [decision] for found in answers)  # type: ignore[union-attr]
        self.waiting = [(key, found) for key, found in self.waiting if not found]
        self.look_at_all()

    @precondition(lambda self: self.stream is not None and self.stream.spoken)
    @rule()
    def say_that_nothing_has_changed(self) -> None:
        self.deliver(said.checkpoint(), fine=True)

    @precondition(lambda self: self.stream is not None)
    @rule(body=st.sampled_from([said.resync(0), said.nothing(0), b"\xff\xff", None]), really=SELDOM)
    def say_what_ends_it(self, body: bytes | None, really: bool) -> None:
        if really:
            self.deliver(body, fine=False)

    # How it is judged.

    def look_at_all(self) -> None:
        for key in KEYS:
            self.served(key)

    def served(self, key: str) -> bool:
        granted = self.granted(key)
        served = self.memory.look((key,), self.now, self.wall)
        if granted is None:
            assert served is None, "served what must not be served"
        else:
            assert served is not None, "asked what was known"
            assert served.wire == granted
        if self.stream is not None and self.memory.stream is not self.stream.client:
            # It found the stream silent, which must be so.
            assert self.now > self.due(self.stream)
            self.stream = None
        self.receive()
        return served is not None

    @invariant()
    def nobody_waits_for_what_is_not_under_way(self) -> None:
        if self.stream is None:
            assert all(found == [None] for _, found in self.waiting if found)
            assert all(found for _, found in self.waiting)
            self.waiting.clear()

    @invariant()
    def it_is_bounded(self) -> None:
        assert self.memory.statistics().entries <= self.most

    def deliver(self, body: bytes | None, *, fine: bool) -> bool:
        stream = self.stream
        assert stream is not None
        in_time = self.now <= self.due(stream)
        open_still = self.memory.heard(stream.client, body, self.now, self.wall)
        assert open_still == (fine and in_time)
        if not open_still:
            self.stream = None
            return False
        stream.spoken, stream.heard_at = True, self.now
        self.receive()
        return True

    def receive(self) -> None:
        """The server reads what it was sent, at once."""
        stream = self.stream
        if stream is None:
            return
        while (data := stream.client.next_message()) is not None:
            message = api.SubscribeRequest.FromString(data)
            for each in message.add:
                assert each.id not in stream.subscribed
                stream.subscribed[each.id] = Subscribed(each.question.token)
                if stream.first_added_at is None:
                    stream.first_added_at = self.now
            for number in message.remove:
                stream.subscribed.pop(number, None)
            assert len(stream.subscribed) <= max(self.most, 1)

    def due(self, stream: Stream) -> float:
        if stream.spoken:
            return stream.heard_at + SILENCE
        return float("inf") if stream.first_added_at is None else stream.first_added_at + FIRST_WORD

    def granted(self, key: str) -> decision_pb2.Decision | None:
        """What may be served, by the rules."""
        stream = self.stream
        if stream is None or not stream.spoken or self.now > self.due(stream):
            return None
        for subscribed in stream.subscribed.values():
            if subscribed.key == key and subscribed.good and subscribed.told is not None:
                over = self.wall >= subscribed.told.valid_until.ToNanoseconds() / 1e9
                return None if over else subscribed.told
        return None

    @staticmethod
    def body(kind: str, number: int, about: str, decision: decision_pb2.Decision) -> bytes:
        match kind:
            case "decision":
                return said.told(number, about, decision=decision)
            case "changed":
                return said.changed(number, about, decision)
            case "ended":
                return said.ended(number, about)
            case "expiring":
                return said.expiring(number, about)
            case "resync":
                return said.resync(number)
            case "fault":
                return said.fault(number)
            case "overload":
                return said.fault(number, fault_pb2.CODE_RESOURCE_EXHAUSTED)
            case "checkpoint":
                return said.checkpoint(number)
        return said.nothing(number, about)


TestCaching = Caching.TestCase
TestCaching.settings = settings(max_examples=200, stateful_step_count=80, deadline=None)
