"""What happens often is told once in a while, each kind by itself."""

from __future__ import annotations

from usherd.seldom import Seldom


class Hands:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_is_told_at_once_and_the_next_when_the_time_is_over() -> None:
    hands = Hands()
    seldom = Seldom(hands, 10.0)

    due = []
    for hands.now in (0.0, 0.0, 9.9, 10.0, 10.1, 19.9, 20.0):
        due.append(seldom.is_due())

    assert due == [True, False, False, True, False, False, True]


def test_kinds_wait_for_themselves_only() -> None:
    seldom = Seldom(Hands(), 10.0)

    assert [seldom.is_due(kind) for kind in ("a", "b", "a", None)] == [True, True, False, True]


def test_what_is_forgotten_is_due_again() -> None:
    seldom = Seldom(Hands(), 10.0)
    seldom.is_due("a")
    seldom.is_due("b")

    seldom.forget("a")
    seldom.forget("never told")

    assert [seldom.is_due(kind) for kind in ("a", "b")] == [True, False]
