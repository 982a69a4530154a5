"""The oracle of the chaos finds each broken promise, and no other."""

from __future__ import annotations

import pytest

from chaos.ledger import SLACK, Kind, Ledger, Subject

STALE = 2.0


@pytest.fixture(name="ledger")
def _ledger() -> Ledger:
    return Ledger(STALE)


def _blocked(ledger: Ledger, *, began: float = 10.0, ended: float = 11.0, revision: int = 5) -> Subject:
    subject = ledger.add("red", Kind.BLOCK, "token", 0.0)
    ledger.made(subject.begin(began, closed=True), ended, revision)
    return subject


@pytest.mark.parametrize(
    ("asked", "answered", "closed", "right"),
    [
        (5.0, 6.0, False, True),
        (5.0, 6.0, True, False),
        # While it is written, and as long as a replica may not have heard.
        (10.2, 10.4, True, True),
        (10.2, 10.4, False, True),
        (9.0, 9.9, True, False),
        (9.0, 10.1, True, True),
        (11.0 + STALE, 14.0, False, True),
        (11.0 + STALE + 2 * SLACK, 14.0, False, False),
        (11.0 + STALE + 2 * SLACK, 14.0, True, True),
    ],
)
def test_what_was_written_may_be_unknown_as_long_as_facts_may_be_old(
    ledger: Ledger, asked: float, answered: float, closed: bool, right: bool
) -> None:
    subject = _blocked(ledger)
    assert ledger.answer_is_right(subject, closed=closed, asked=asked, answered=answered) is right


def test_a_write_whose_outcome_is_unknown_may_count_or_not(ledger: Ledger) -> None:
    subject = ledger.add("red", Kind.BLOCK, "token", 0.0)
    subject.begin(10.0, closed=True)
    for closed in (True, False):
        assert ledger.answer_is_right(subject, closed=closed, asked=100.0, answered=101.0)
        assert ledger.fits_revision(subject, closed=closed, revision=7)


def test_of_several_writes_only_those_count_that_can_be_known(ledger: Ledger) -> None:
    subject = _blocked(ledger)
    ledger.made(subject.begin(20.0, closed=False), 21.0, 8)
    ledger.made(subject.begin(30.0, closed=True), 31.0, 9)
    assert ledger.answer_is_right(subject, closed=False, asked=25.0, answered=25.0)
    assert not ledger.answer_is_right(subject, closed=True, asked=25.0, answered=25.0)
    assert not ledger.answer_is_right(subject, closed=False, asked=40.0, answered=40.0)


@pytest.mark.parametrize(
    ("revision", "closed"), [(1, False), (4, False), (5, True), (7, True), (8, False), (99, False)]
)
def test_at_a_revision_there_is_one_answer(ledger: Ledger, revision: int, closed: bool) -> None:
    subject = _blocked(ledger)
    ledger.made(subject.begin(20.0, closed=False), 21.0, 8)
    assert ledger.fits_revision(subject, closed=closed, revision=revision)
    assert not ledger.fits_revision(subject, closed=not closed, revision=revision)


def test_a_denial_that_has_not_read_the_directory_is_of_no_revision(ledger: Ledger) -> None:
    subject = ledger.add("red", Kind.BLOCK, "token", 0.0)
    assert ledger.fits_revision(subject, closed=True, revision=0)
    assert not ledger.fits_revision(subject, closed=True, revision=1)


def test_a_checkpoint_knows_all_that_was_answered_longer_ago_than_facts_may_be_old(ledger: Ledger) -> None:
    _blocked(ledger, ended=11.0, revision=5)
    ledger.known(12.0, 6)
    assert ledger.checkpoint_is_fresh(4, 11.0 + STALE)
    assert not ledger.checkpoint_is_fresh(4, 11.0 + STALE + 2 * SLACK)
    assert ledger.checkpoint_is_fresh(5, 11.0 + STALE + 2 * SLACK)
    assert not ledger.checkpoint_is_fresh(5, 12.0 + STALE + 2 * SLACK)


def test_acknowledged_are_the_writes_that_were_answered(ledger: Ledger) -> None:
    subject = _blocked(ledger)
    subject.begin(20.0, closed=False)
    assert list(ledger.acknowledged()) == [5]
    assert not subject.settled
