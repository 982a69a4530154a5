"""The rules of a watch, one by one: what is told, when it is asked again, and when it is unknown."""

from __future__ import annotations

import math

import pytest

from clients import said
from clients.said import may, may_not, watched
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, event_pb2, reason_pb2
from usher_client.events import Changed, Decided, Ended, Event, Expiring, Unknown
from usher_client.faults import BadAnswer, OutOfTime, Unavailable
from usher_client.vigil import Do, Vigil

SILENCE = 15.0
LIVING = said.terms(SILENCE)
ONCE = said.terms(SILENCE, mode=api.MODE_ONCE)
CHECKPOINT = watched(checkpoint=event_pb2.Checkpoint(revision="store:8"))


class Watching:
    """A vigil whose clocks stand still unless they are set."""

    def __init__(self, patience: float = 1.0) -> None:
        self.vigil = Vigil(patience)
        self.now = 1000.0
        self.wall = 2_000_000_000.0

    def do(self) -> tuple[Do, float]:
        """What is to be done, and in how many seconds."""
        step = self.vigil.step(self.now, self.wall)
        return step.do, step.until - self.now

    def ask(self) -> None:
        assert self.do()[0] is Do.ASK
        self.vigil.asked(self.now, self.wall)

    def hear(self, body: bytes) -> None:
        self.vigil.heard(body, self.now, self.wall)

    def told(self) -> list[Event]:
        events = []
        while (event := self.vigil.next_event()) is not None:
            events.append(event)
        return events

    def begin(self, decision: decision_pb2.Decision | None = None, terms: api.StreamTerms = LIVING) -> Watching:
        """It has its first decision."""
        self.ask()
        self.hear(watched(terms, decision=decision or may("A")))
        if terms.mode == api.MODE_ONCE:
            self.vigil.closed(self.now, self.wall)
        assert [type(each) for each in self.told()] == [Decided]
        return self

    def lose(self) -> None:
        self.vigil.lost(Unavailable("CANARY"), self.now)

    def wait(self) -> float:
        """Waits until it asks again; how long that was."""
        do, seconds = self.do()
        assert do is Do.WAIT
        self.now += seconds
        self.wall += seconds
        return seconds


def change(decision: decision_pb2.Decision, cause: int = event_pb2.CAUSE_DIRECTORY) -> bytes:
    return watched(changed=event_pb2.Changed(decision=decision, cause=cause))  # type: ignore[arg-type]


def test_it_asks_and_tells_the_first_decision() -> None:
    world = Watching()
    world.ask()
    assert world.do() == (Do.READ, 1.0)
    world.hear(watched(LIVING, decision=may("A")))

    (event,) = world.told()
    assert isinstance(event, Decided)
    assert event.allowed
    assert world.do() == (Do.READ, SILENCE)


def test_each_event_says_whether_it_may_go_on() -> None:
    world = Watching().begin()
    world.hear(watched(expiring=event_pb2.Expiring(ends_at=said.stamp(said.FAR), cause=event_pb2.CAUSE_TOKEN_EXPIRED)))
    world.hear(change(may_not("B")))
    world.hear(watched(expiring=event_pb2.Expiring(ends_at=said.stamp(said.FAR))))
    world.hear(change(may("C"), 99))
    world.hear(watched(ended=event_pb2.Ended(decision=may_not("D"), cause=event_pb2.CAUSE_TOKEN_REVOKED)))

    told = world.told()

    assert [type(each) for each in told] == [Expiring, Changed, Expiring, Changed, Ended]
    assert [each.allowed for each in told] == [True, False, False, True, False]
    assert [bool(each) for each in told] == [True, False, False, True, False]
    causes = [each.cause for each in told if not isinstance(each, Decided | Unknown)]
    assert causes == ["TOKEN_EXPIRED", "DIRECTORY", "UNKNOWN", "UNKNOWN", "TOKEN_REVOKED"]
    assert world.do()[0] is Do.STOP


def test_checkpoints_are_not_told_and_break_the_silence() -> None:
    world = Watching().begin()
    for _ in range(3):
        world.now += SILENCE
        world.hear(CHECKPOINT)
    assert world.told() == []
    assert world.do() == (Do.READ, SILENCE)


def test_a_fault_in_place_of_the_first_decision_is_the_end() -> None:
    world = Watching()
    world.ask()
    world.lose()

    assert world.do()[0] is Do.STOP
    assert world.vigil.failed
    assert world.vigil.fault is not None
    assert world.vigil.fault.reason == "CANARY"
    assert world.told() == []


def test_a_first_decision_that_does_not_come_in_time_is_the_end() -> None:
    world = Watching(patience=2.0)
    world.ask()
    world.now += 2.0
    assert world.do()[0] is Do.STOP
    assert isinstance(world.vigil.fault, OutOfTime)
    world = Watching(patience=2.0)
    world.ask()
    world.now += 2.001
    world.hear(watched(LIVING, decision=may("A")))
    assert world.told() == []
    assert world.vigil.failed


WRONG = {
    "no_message": b"\xff\xff\xff",
    "no_event": watched(LIVING),
    "a_checkpoint_first": watched(LIVING, checkpoint=event_pb2.Checkpoint()),
    "changed_first": watched(LIVING, changed=event_pb2.Changed(decision=may("A"))),
    "no_silence": watched(said.terms(0.0), decision=may("A")),
    "a_mode_of_the_future": watched(said.terms(mode=99), decision=may("A")),
    "no_decision": watched(LIVING, decision=may("A", reason=reason_pb2.REASON_TOKEN_EXPIRED)),
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_first_decision_is_a_fault(body: bytes) -> None:
    world = Watching()
    world.ask()
    world.hear(body)

    assert world.do()[0] is Do.STOP
    assert isinstance(world.vigil.fault, BadAnswer)
    assert world.told() == []


def test_a_lost_stream_is_asked_again_after_growing_waits_until_the_silence_is_over() -> None:
    world = Watching().begin()
    begun, waits = world.now, []
    world.lose()
    while world.do()[0] is Do.WAIT:
        waits.append(world.wait())
        if world.do()[0] is Do.ASK:
            world.ask()
            world.lose()

    assert waits[:8] == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0])
    assert max(waits) == pytest.approx(1.0)
    assert world.now - begun == pytest.approx(SILENCE)
    (event,) = world.told()
    assert isinstance(event, Unknown)
    assert event.fault.reason == "CANARY"
    assert not event.allowed
    assert world.do()[0] is Do.STOP


def test_an_allowance_stands_no_longer_than_it_is_valid_while_it_is_asked_again() -> None:
    world = Watching().begin(may("A", until=2_000_000_003.0))
    begun = world.now
    world.lose()
    while world.do()[0] is Do.WAIT:
        world.wait()
        if world.do()[0] is Do.ASK:
            world.ask()
            world.lose()

    assert world.now - begun == pytest.approx(3.0)
    assert [type(each) for each in world.told()] == [Unknown]


def test_a_call_that_is_asked_again_does_not_last_beyond_what_stands() -> None:
    world = Watching(patience=60.0).begin()
    world.lose()
    world.wait()
    world.ask()
    assert world.do() == (Do.READ, pytest.approx(SILENCE - 0.01))
    world.now += SILENCE
    assert world.do()[0] is Do.STOP
    assert [type(each) for each in world.told()] == [Unknown]


AGAIN: dict[str, tuple[decision_pb2.Decision, decision_pb2.Decision, list[type]]] = {
    "allowed_as_before": (may("A"), may("B"), []),
    "denied_as_before": (may_not("A"), may_not("B"), []),
    "denied_now": (may("A"), may_not("B"), [Changed]),
    "denied_for_another_reason": (may_not("A"), may_not("B", reason=reason_pb2.REASON_TEAM_BLOCKED), [Changed]),
    "allowed_again": (may_not("A"), may("B"), [Decided]),
    "allowed_for_another_reason": (may("A"), may("B", reason=reason_pb2.REASON_PUBLIC_ROUTE), [Decided]),
}


@pytest.mark.parametrize(("before", "now", "told"), AGAIN.values(), ids=AGAIN.keys())
@pytest.mark.parametrize("terms", [LIVING, ONCE], ids=["watch", "once"])
def test_what_the_question_is_answered_anew_is_told_if_it_differs(
    before: decision_pb2.Decision, now: decision_pb2.Decision, told: list[type], terms: api.StreamTerms
) -> None:
    world = Watching().begin(before)
    world.lose()
    world.wait()
    world.ask()
    world.hear(watched(terms, decision=now))
    if terms is ONCE:
        assert world.told() == []
        world.vigil.closed(world.now, world.wall)

    events = world.told()

    assert [type(each) for each in events] == told
    assert all(isinstance(each, Decided | Changed) and each.decision.decision_id == "B" for each in events)
    assert world.do()[0] is (Do.WAIT if terms is ONCE else Do.READ)


@pytest.mark.parametrize(
    "body",
    [
        watched(resync=event_pb2.Resync(cause=event_pb2.CAUSE_SERVER)),
        watched(),
        watched(decision=may("B")),
        change(may("B", reason=reason_pb2.REASON_TOKEN_EXPIRED)),
        watched(ended=event_pb2.Ended(decision=may("B"))),
        b"\xff\xff\xff",
        None,
    ],
    ids=["resync", "future", "second_decision", "no_decision", "ended_allowed", "no_message", "closed"],
)
def test_without_a_word_about_the_decision_the_question_is_asked_again_soon(body: bytes | None) -> None:
    world = Watching().begin()
    world.now += 10
    if body is None:
        world.vigil.closed(world.now, world.wall)
    else:
        world.hear(body)

    assert world.told() == []
    assert world.wait() == pytest.approx(0.01)
    assert world.do()[0] is Do.ASK


def test_silence_is_unknown_even_if_it_speaks_again() -> None:
    world = Watching().begin()
    world.now += SILENCE + 0.001
    world.hear(change(may("B")))

    assert world.told() == []
    assert world.do()[0] is Do.STOP
    assert [type(each) for each in world.told()] == [Unknown]


def test_a_server_of_old_is_asked_again_and_again() -> None:
    world = Watching().begin(may("A", until=world_end(100.0)), ONCE)
    assert world.wait() == pytest.approx(5.0)
    world.ask()
    world.hear(watched(ONCE, decision=may("B", until=world.wall + 4.0)))
    world.vigil.closed(world.now, world.wall)
    assert world.wait() == pytest.approx(2.0)
    world.ask()
    world.hear(watched(ONCE, decision=may("C", until=world.wall + 0.15)))
    world.vigil.closed(world.now, world.wall)
    assert world.wait() == pytest.approx(0.1)
    world.ask()
    world.lose()
    world.wait()
    world.ask()
    world.lose()
    world.wait()
    world.wall += 0.2

    assert world.do()[0] is Do.STOP
    assert [type(each) for each in world.told()] == [Unknown]


def world_end(seconds: float) -> float:
    return 2_000_000_000.0 + seconds


def test_an_answer_of_a_server_of_old_counts_when_its_call_ends_with_ok() -> None:
    for spoil in ("more", "error", "late"):
        world = Watching()
        world.ask()
        world.hear(watched(ONCE, decision=may("A")))
        assert world.told() == []
        if spoil == "more":
            world.hear(CHECKPOINT)
        elif spoil == "error":
            world.lose()
        else:
            world.now += 1.001
            world.vigil.closed(world.now, world.wall)
        assert world.told() == []
        assert world.vigil.failed


def test_a_server_that_hangs_up_at_once_is_not_asked_without_pause() -> None:
    world = Watching().begin()
    waits = []
    for _ in range(5):
        world.vigil.closed(world.now, world.wall)
        waits.append(world.wait())
        world.ask()
        world.hear(watched(LIVING, decision=may("B")))
    assert waits == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16])
    world.now += 1.0
    world.vigil.closed(world.now, world.wall)
    assert world.wait() == pytest.approx(0.01)


def test_a_denial_does_not_become_unknown_because_it_may_not_be_kept() -> None:
    world = Watching().begin(may_not("A", until=2_000_000_000.0, cacheable=False))
    world.lose()
    assert world.wait() == pytest.approx(0.01)
    assert world.do()[0] is Do.ASK


def test_a_step_that_reads_always_ends() -> None:
    world = Watching()
    world.ask()
    assert world.do()[1] < math.inf
    world.hear(watched(said.terms(1e9), decision=may("A")))
    assert world.do() == (Do.READ, 3600.0)
