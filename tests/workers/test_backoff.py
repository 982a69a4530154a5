"""A worker that ends is started again soon at first, then later and later, and never all workers at the same moment."""

from __future__ import annotations

from usherd.workers.backoff import FIRST, LOOP, MOST, SETTLED, Backoff


def waits(chance: float, ends: int) -> list[float]:
    backoff = Backoff(lambda: chance)
    return [backoff.ended(1.0) for _ in range(ends)]


def test_waits_double_up_to_a_bound() -> None:
    assert waits(0.5, 9) == [FIRST, 1, 2, 4, 8, 16, MOST, MOST, MOST]


def test_waits_are_spread_by_a_quarter_either_way() -> None:
    assert waits(0.0, 1) == [FIRST * 0.75]
    assert FIRST * 1.24 < waits(0.999, 1)[0] < FIRST * 1.25
    assert max(waits(0.999, 1000)) < MOST * 1.25


def test_three_short_lives_in_a_row_are_a_crash_loop() -> None:
    backoff = Backoff(lambda: 0.5)
    looping = []
    for _ in range(LOOP):
        backoff.ended(SETTLED - 1)
        looping.append(backoff.looping)

    assert looping == [False] * (LOOP - 1) + [True]


def test_one_that_has_lived_for_a_while_begins_anew() -> None:
    backoff = Backoff(lambda: 0.5)
    for _ in range(5):
        backoff.ended(1.0)
    backoff.settled()
    recovered = backoff.looping
    short = [backoff.ended(1.0) for _ in range(5)][-1]

    assert not recovered
    assert backoff.ended(SETTLED) == FIRST < short
