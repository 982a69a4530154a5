"""The rules of the cache, one by one: what may be served, and what makes it go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clients import said
from clients.said import may, may_not
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, fault_pb2, question_pb2, reason_pb2
from usher_client.entries import Outcome
from usher_client.faults import BadAnswer, Unavailable
from usher_client.keeping import DecisionCache
from usher_client.memory import Memory
from usher_client.subscriptions import FIRST_WORD, MOST_BYTES, MOST_CHANGES, Subscriptions

SILENCE = 15.0


class Told:
    """A memory whose stream says what a test wants; its clocks stand still unless they are set."""

    def __init__(self, most: int = 10_000) -> None:
        self.memory = Memory(DecisionCache(max_entries=most))
        self.now = 1000.0
        self.wall = 2_000_000_000.0
        self.stream = self.memory.open(self.now)
        self.ids: dict[str, int] = {}

    def bring(self) -> Told:
        """The stream is there."""
        assert self.hear(said.checkpoint(given=said.terms(SILENCE)))
        return self

    def hear(self, body: object, stream: Subscriptions | None = None) -> bool:
        return self.memory.heard(stream or self.stream, body, self.now, self.wall)

    def look(self, name: str) -> str | None:
        """The id of the decision that is served."""
        decision = self.memory.look((name,), self.now, self.wall)
        return None if decision is None else decision.decision_id

    def ask(self, name: str) -> list[Outcome] | None:
        """What will come of it; None: ask by itself."""
        flight = self.memory.join((name,), question_pb2.Question(token=name), self.now)
        if flight is None:
            return None
        found: list[Outcome] = []
        flight.waiting.add(found.append)
        self.ids[name] = flight.id
        return found

    def keep(self, name: str, decision: decision_pb2.Decision | None = None) -> int:
        """The question is asked and answered; the number of its subscription."""
        found = self.ask(name)
        assert found is not None
        self.hear(said.first(self.ids[name], decision or may(name)))
        assert found[0]
        return self.ids[name]

    def sent(self) -> list[api.SubscribeRequest]:
        messages = []
        while self.memory.stream is not None and (message := self.stream.next_message()) is not None:
            messages.append(api.SubscribeRequest.FromString(message))
        return messages

    def removed(self) -> list[int]:
        return [number for message in self.sent() for number in message.remove]


def there() -> Told:
    return Told().bring()


def test_the_first_event_of_a_subscription_is_its_answer_and_is_kept() -> None:
    world = there()
    found = world.ask("q")
    assert found == []
    assert world.look("q") is None
    assert [[each.question.token for each in message.add] for message in world.sent()] == [["q"]]

    world.hear(said.first(1, may("A")))

    assert found[0]
    assert world.look("q") == "A"
    assert world.memory.statistics().hits == 1


def test_a_denial_is_kept_as_well() -> None:
    world = there()
    found = world.ask("q")
    assert found is not None
    world.hear(said.first(1, may_not("D")))

    assert not found[0]
    assert world.look("q") == "D"


@pytest.mark.parametrize(
    "decision",
    [
        may(cacheable=False),
        may(until=1_999_999_999.0),
        may(until=2_000_000_000.0),
        may(valid_until=None),
        may(depends_on=[decision_pb2.Dependency(kind=99)]),  # type: ignore[list-item]
        may(depends_on=[decision_pb2.Dependency(kind=decision_pb2.DEPENDENCY_KIND_UNSPECIFIED)]),
    ],
    ids=["not_cacheable", "over", "over_now", "no_end", "unknown_kind", "no_kind"],
)
def test_what_may_not_be_kept_is_answered_and_removed_from_the_stream(decision: decision_pb2.Decision) -> None:
    world = there()
    found = world.ask("q")
    assert found is not None
    world.sent()
    world.hear(said.first(1, decision))

    assert found[0]
    assert world.look("q") is None
    assert world.removed() == [1]


def test_the_same_question_asked_at_the_same_time_is_added_once() -> None:
    world = there()
    one, other = world.ask("q"), world.ask("q")

    assert sum(len(message.add) for message in world.sent()) == 1
    world.hear(said.first(1, may("A")))
    assert one
    assert other
    assert one == other


def test_no_more_than_so_many_additions_are_under_way() -> None:
    world = there()
    found = [world.ask(f"q{number}") for number in range(MOST_CHANGES + 1)]

    assert [each for each in found if each is None] == [None]
    assert found[-1] is None
    world.hear(said.first(1, may("A")))
    assert world.ask("another") is not None


def test_nobody_waits_for_a_stream_that_is_not_there_but_one_question_brings_it_to_life() -> None:
    world = Told()

    assert world.ask("q") is None
    assert world.ask("q") is None
    assert world.ask("r") is None
    assert [[each.question.token for each in message.add] for message in world.sent()] == [["q"]]
    world.hear(said.first(1, may("A"), said.terms()))
    assert world.look("q") == "A"
    assert world.ask("r") is not None


def test_the_last_question_asked_without_a_stream_brings_the_next_one_to_life() -> None:
    world = there()
    world.memory.lose(world.stream)
    assert world.ask("q") is None
    assert world.ask("r") is None

    world.stream = world.memory.open(world.now)

    assert [[each.question.token for each in message.add] for message in world.sent()] == [["r"]]


def test_a_stream_that_says_nothing_at_first_is_given_up() -> None:
    world = Told()
    world.now += 3600
    assert not world.memory.overdue(world.stream, world.now)
    world.ask("q")

    world.now += FIRST_WORD - 0.001
    assert not world.memory.overdue(world.stream, world.now)
    world.now += 0.002
    assert world.memory.overdue(world.stream, world.now)
    assert not world.hear(said.first(1, may("A"), said.terms()))
    assert world.look("q") is None
    assert world.memory.statistics().streams_lost == 0


@pytest.mark.parametrize(
    "given",
    [None, said.terms(mode=api.MODE_ONCE), said.terms(mode=99), said.terms(silence=0.0), said.terms(silence=-1.0)],
    ids=["none", "once", "unknown_mode", "no_silence", "less_than_none"],
)
def test_a_stream_that_does_not_say_how_it_is_served_is_not_used(given: api.StreamTerms | None) -> None:
    world = Told()
    world.ask("q")

    assert not world.hear(said.first(1, may("A"), given))
    assert world.look("q") is None


def test_a_silent_stream_is_over_even_if_it_speaks_again() -> None:
    world = there()
    world.keep("q")
    world.now += SILENCE
    assert world.look("q") == "q"

    world.now += 0.001
    assert world.look("q") is None

    world.now -= 0.001
    assert not world.hear(said.checkpoint())
    assert world.look("q") is None
    assert world.memory.statistics().silences == 1


def test_what_was_in_a_buffer_for_too_long_is_not_believed() -> None:
    world = there()
    world.keep("q")
    world.now += SILENCE + 0.001

    assert not world.hear(said.checkpoint())
    assert world.look("q") is None
    assert world.memory.statistics().silences == 1


def test_whatever_is_heard_breaks_the_silence() -> None:
    world = there()
    world.keep("q")
    for body in (said.checkpoint(), said.expiring(1, "q"), said.nothing(77)):
        world.now += SILENCE
        assert world.hear(body)
    world.now += SILENCE
    assert world.look("q") == "q"


def test_nothing_is_served_when_its_time_has_come_by_the_calendar() -> None:
    world = there()
    world.keep("q", may("A", until=world.wall + 10))
    world.wall += 9.999
    assert world.look("q") == "A"

    world.wall += 0.001
    assert world.look("q") is None
    assert world.removed() == [1]
    world.wall -= 5
    assert world.look("q") is None


def test_a_changed_decision_takes_the_place_of_the_one_before() -> None:
    world = there()
    world.keep("q", may("A"))
    assert world.hear(said.changed(1, "A", may_not("B")))
    assert world.look("q") == "B"
    assert world.hear(said.changed(1, "B", may("C")))

    assert world.look("q") == "C"
    assert world.memory.statistics().changed == 2


GOING: dict[str, tuple[Callable[[int], bytes], bool]] = {
    "changed_to_what_may_not_be_kept": (lambda n: said.changed(n, "A", may("B", cacheable=False)), True),
    "changed_to_what_is_no_decision": (
        lambda n: said.changed(n, "A", may("B", reason=reason_pb2.REASON_TOKEN_EXPIRED)),
        True,
    ),
    "changed_from_another": (lambda n: said.changed(n, "X", may("B")), True),
    "changed_from_none": (lambda n: said.changed(n, "", may("B")), True),
    "ended": (lambda n: said.ended(n, "A"), False),
    "ended_another": (lambda n: said.ended(n, "X"), False),
    "resync": (lambda n: said.resync(n), False),
    "fault": (lambda n: said.fault(n), False),
    "unset_or_of_the_future": (lambda n: said.nothing(n, "A"), True),
    "expiring_another": (lambda n: said.expiring(n, "X"), True),
    "a_second_decision": (lambda n: said.first(n, may("A")), True),
    "a_checkpoint_of_its_own": (lambda n: said.checkpoint(n), True),
}


@pytest.mark.parametrize(("body", "removed"), GOING.values(), ids=GOING.keys())
def test_the_entry_is_gone(body: Callable[[int], bytes], removed: bool) -> None:
    world = there()
    number = world.keep("q", may("A"))
    other = world.keep("other", may("O"))
    world.sent()

    assert world.hear(body(number))

    assert world.look("q") is None
    assert world.look("other") == "O"
    assert world.removed() == ([number] if removed else [])
    # What comes late of it is nobody's.
    assert world.hear(said.changed(number, "A", may("B")))
    assert world.look("q") is None
    assert other != number


ALL_GONE: dict[str, object] = {
    "resync": said.resync(0),
    "event_of_the_future": said.nothing(0),
    "decision_for_all": said.first(0, may("A")),
    "changed_for_all": said.changed(0, "A", may("B")),
    "fault_for_all": said.fault(0),
    "no_message": b"\xff\xff\xff",
    "the_end": None,
}


@pytest.mark.parametrize("body", ALL_GONE.values(), ids=ALL_GONE.keys())
def test_everything_is_gone(body: object) -> None:
    world = there()
    world.keep("q")
    waiting = world.ask("r")

    assert not world.hear(body)

    assert world.look("q") is None
    assert waiting == [None]
    assert world.memory.stream is None
    assert world.memory.statistics().streams_lost == 1


def test_what_an_old_stream_says_is_nothing_to_the_new_one() -> None:
    world = there()
    old = world.stream
    world.memory.lose(old)
    world.stream = world.memory.open(world.now)
    world.bring()
    world.keep("q", may("A"))

    assert not world.hear(said.changed(1, "A", may("B")), old)
    assert not world.hear(said.first(1, may("B")), old)
    world.memory.lose(old)

    assert world.look("q") == "A"


BY_ITSELF: dict[str, tuple[bytes, bool]] = {
    "overloaded": (said.fault(1, fault_pb2.CODE_RESOURCE_EXHAUSTED), False),
    "resync": (said.resync(1), False),
    "ended": (said.ended(1, "A"), False),
    "event_of_the_future": (said.nothing(1), True),
    "changed_before_it_was_decided": (said.changed(1, "", may("B")), True),
    "a_decision_under_another_name": (said.told(1, "X", decision=may("A")), True),
}


@pytest.mark.parametrize(("body", "removed"), BY_ITSELF.values(), ids=BY_ITSELF.keys())
def test_a_question_that_is_not_answered_on_the_stream_is_asked_by_itself(body: bytes, removed: bool) -> None:
    world = there()
    found = world.ask("q")
    world.sent()

    assert world.hear(body)

    assert found == [None]
    assert world.look("q") is None
    assert world.removed() == ([1] if removed else [])


def test_any_other_fault_is_the_answer() -> None:
    world = there()
    one, other = world.ask("q"), world.ask("r")
    assert one is not None
    assert other is not None
    world.hear(said.fault(1))
    world.hear(said.first(2, may("A", reason=reason_pb2.REASON_TOKEN_EXPIRED)))

    assert isinstance(one[0], Unavailable)
    assert one[0].reason == "KEYS_UNAVAILABLE"
    assert isinstance(other[0], BadAnswer)
    assert world.look("q") is None
    assert world.look("r") is None


def test_the_least_recently_used_goes_first_and_is_removed_from_the_stream() -> None:
    world = Told(most=3).bring()
    for name in "abc":
        world.keep(name)
    assert world.look("a") == "a"
    world.sent()

    world.keep("d")

    assert [world.look(name) for name in "abcd"] == ["a", None, "c", "d"]
    assert world.removed() == [2]
    assert world.memory.statistics().evicted == 1
    assert world.memory.statistics().entries == 3


def test_with_room_for_one_there_is_never_more_than_one() -> None:
    world = Told(most=1).bring()
    assert world.ask("a") is not None
    assert world.ask("b") is None
    world.hear(said.first(world.ids["a"], may("A")))
    world.keep("b")

    assert [world.look(name) for name in "ab"] == [None, "b"]


def test_messages_stay_below_what_a_server_takes() -> None:
    world = there()
    names = [f"{number}" + "x" * 9000 for number in range(100)]
    for name in names:
        world.ask(name)

    messages = world.sent()

    assert [each.question.token for message in messages for each in message.add] == names
    assert [each.id for message in messages for each in message.add] == list(range(1, 101))
    assert max(message.ByteSize() for message in messages) <= MOST_BYTES
    assert len(messages) == 8


def test_a_question_that_is_too_large_is_not_kept() -> None:
    world = there()
    assert world.ask("x" * 20_000) is None
    assert world.sent() == []


def test_on_a_full_stream_removals_go_before_additions() -> None:
    world = there()
    for number in range(10_000):
        world.keep(f"{number}")
        world.sent()
    assert world.ask("more") is not None

    removal, addition = world.sent()

    assert (list(removal.remove), len(removal.add)) == ([1], 0)
    assert (len(addition.remove), [each.question.token for each in addition.add]) == (0, ["more"])


def test_additions_and_removals_share_a_message_and_its_bound() -> None:
    world = there()
    for number in range(200):
        world.keep(f"{number}")
        world.sent()
    for number in range(1, 201):
        world.hear(said.nothing(number))
    for number in range(200, 400):
        world.ask(f"{number}")

    messages = world.sent()

    assert [len(message.add) + len(message.remove) for message in messages] == [256, 144]
    assert sorted(number for message in messages for number in message.remove) == list(range(1, 201))


def test_numbers_are_never_used_again() -> None:
    world = there()
    numbers = [world.keep("q") for _ in range(3) if world.hear(said.nothing(world.ids.get("q", 77)))]
    assert numbers == [1, 2, 3]


def test_waits_grow_from_a_tenth_of_a_second_to_five_and_begin_anew_after_a_stream_that_lasted() -> None:
    memory = Memory(DecisionCache())
    waits = [memory.next_wait(0.0, 0.5) for _ in range(8)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert memory.next_wait(5.0, 0.5) == pytest.approx(0.1)
    assert memory.next_wait(4.9, 0.0) == pytest.approx(0.16)
    assert memory.next_wait(4.9, 1.0) == pytest.approx(0.48)


def test_neither_tokens_nor_questions_show_in_what_the_memory_is_made_of() -> None:
    world = there()
    world.ask("canary")
    flight = world.memory.join(("canary",), question_pb2.Question(token="canary"), world.now)
    assert "canary" not in f"{flight!r}{world.stream!r}{world.memory!r}{world.memory.statistics()!r}"


def test_a_cache_has_a_bound() -> None:
    for wrong in (0, 10_001, -1, 1.5, True, "7"):
        with pytest.raises(ValueError, match="max_entries"):
            DecisionCache(max_entries=wrong)  # type: ignore[arg-type]


def test_an_addition_that_nobody_ever_answers_holds_up_nobody_for_ever() -> None:
    told = there()
    lost = told.ask("lost")
    assert lost == []
    told.sent()
    for _ in range(6):
        told.now += 10.0
        told.hear(said.checkpoint())
    assert lost == []

    told.now += 0.1
    told.hear(said.checkpoint())

    assert lost == [None]
    assert told.removed() == [told.ids["lost"]]
    told.keep("lost")
    assert told.look("lost") == "lost"
