"""What is remembered of changes: whatever is not known to be unchanged has changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from usherd.domain import Dependency, DependencyKind, Effect, Verdict
from usherd.history import History, Standing
from usherd.reasons import Reason

USER, TEAM = DependencyKind.USER, DependencyKind.TEAM
RED, ANN = (TEAM, "idp/red"), (USER, "idp/ann")


def on(*refs: tuple[DependencyKind, str]) -> tuple[Dependency, ...]:
    return tuple(Dependency(kind, key, "7") for kind, key in refs)


def test_what_has_not_changed_stands_and_what_has_does_not() -> None:
    history = History(1)
    history.note(2, [RED])
    history.note(3, [ANN])

    assert history.stands(on(), 1)
    assert history.stands(on(RED), 2)
    assert not history.stands(on(RED), 1)
    assert not history.stands(on(RED, ANN), 2)
    assert history.stands(on((USER, "idp/red")), 1)


def test_what_was_before_it_began_is_not_known_to_stand() -> None:
    assert not History(5).stands(on(), 4)


def test_a_verdict_that_stands_is_not_asked_for_what_was_looked_through_already() -> None:
    history = History(1, most=4)
    standing = Standing(Verdict(effect=Effect.ALLOW, reason=Reason.ALLOWED, depends_on=on(RED)), 1)

    for revision in range(2, 50):
        history.note(revision, [(USER, str(revision))])
        assert standing.holds(history, revision)
    history.note(50, [RED])

    assert not standing.holds(history, 50)
    assert not standing.holds(history, 48)


def test_it_is_bounded() -> None:
    history = History(1, most=10)
    for revision in range(2, 1000):
        history.note(revision, [(USER, str(revision))])

    assert len(history._last) + len(history._older) <= 12


_REFS = st.tuples(st.sampled_from([USER, TEAM]), st.sampled_from("abcdefgh"))


@given(st.lists(st.lists(_REFS, max_size=3), max_size=30), st.lists(_REFS, max_size=4), st.data())
def test_nothing_stands_that_has_changed(
    changes: list[list[tuple[DependencyKind, str]]], refs: list[tuple[DependencyKind, str]], data: st.DataObject
) -> None:
    history = History(10, most=6)
    for number, touched in enumerate(changes, start=11):
        history.note(number, touched)
    since = data.draw(st.integers(9, 10 + len(changes)))

    changed = {ref for touched in changes[max(0, since - 10) :] for ref in touched}

    if history.stands(on(*refs), since):
        assert since >= 10
        assert changed.isdisjoint(refs)
    elif changed.isdisjoint(refs) and len({ref for touched in changes for ref in touched}) <= 3:
        # Few enough changes to be remembered, all of them.
        assert since < 10
