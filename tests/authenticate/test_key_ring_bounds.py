"""A ring of keys to the second, and what is remembered through sets that bring nothing new."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from usherd.authenticate.key_ring import KeyRing, RingRules
from usherd.domain import VerificationKey

HOUR = 3600.0
GRACE = 72 * HOUR
RULES = RingRules(stale_after=1000 * HOUR)
NOTHING: list[VerificationKey] = []


def key(kid: str | None) -> VerificationKey:
    return VerificationKey(
        issuer="idp",
        kid=kid,
        thumbprint=f"of {kid}",
        algorithms=frozenset({"RS256"}),
        signature_size={"RS256": 256},
        material=object(),
    )


A, B, C = key("a"), key("b"), key("c")


def ids(ring: KeyRing, now: float) -> set[str | None]:
    return {each.kid for each in ring.keys(now)}


def test_all_keys_that_count_are_told_until_their_grace_is_over() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 10).loaded([A], 20)

    assert ids(ring, 10 + GRACE - 1) == {"a", "b"}
    assert ids(ring, 10 + GRACE) == {"a"}


def test_a_key_that_comes_back_when_its_grace_is_over_is_a_new_key() -> None:
    again = key("b")
    before, after = (
        KeyRing(rules=RULES).loaded([A, B], 0).loaded([A], GRACE - 1),
        KeyRing(rules=RULES).loaded([A, B], 0),
    )

    assert before.loaded([A, again], GRACE).find("b", GRACE) is B
    assert after.loaded([A], GRACE).loaded([A, again], GRACE).find("b", GRACE) is again


def test_a_key_is_trusted_to_the_last_fraction_of_a_second() -> None:
    ring = KeyRing(rules=RULES).loaded([A], 0)

    assert ring.trusted_for(A, 1000 * HOUR - 0.5) == 0.5
    assert ring.trusted_for(A, 1000 * HOUR) == 0


def test_a_set_of_withdrawals_leaves_a_lone_key_alone() -> None:
    ring = KeyRing(rules=RULES).loaded([A], 0)

    assert ring.loaded(NOTHING, 1, frozenset({"b"})).find(None, 2) is A
    assert ring.loaded(NOTHING, 1, frozenset({"a"})).find(None, 2) is None


def test_withdrawals_of_a_set_without_usable_keys_are_remembered_beside_older_ones() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B, C], 0).loaded([A], HOUR, frozenset({"b"}))

    ring = ring.loaded(NOTHING, 2 * HOUR, frozenset({"c"}))

    assert ring.withdraws("c", 900 * HOUR)
    assert ring.withdraws("b", 2 * HOUR + GRACE - 1)
    assert not ring.withdraws("b", 2 * HOUR + GRACE)
    assert ids(ring, 2 * HOUR) == {"a"}


def test_a_set_has_published_the_keys_that_it_gave_unless_told_otherwise() -> None:
    ring = KeyRing(rules=dataclasses.replace(RULES, only_published=True))

    assert ring.loaded([A], 0).find(None, 1) is A
    assert ring.loaded([A, key("a")], 0).find(None, 1) is None
    assert ring.loaded([A, key("a")], 0, published=1).find(None, 1) is A


class Fetched(NamedTuple):
    """A set that was fetched: its usable keys and the ids that it withdraws, and whose fetch it was."""

    keys: frozenset[str]
    withdrawn: frozenset[str]
    seconds_later: float
    by_one: bool
    by_other: bool


IDS = st.frozensets(st.sampled_from("abc"))
FETCHES = st.lists(
    st.builds(Fetched, IDS, IDS, st.sampled_from([1.0, HOUR, GRACE - 1]), st.booleans(), st.booleans()), max_size=7
)


@given(FETCHES)
def test_two_rings_know_together_what_one_that_saw_every_set_knows(fetches: list[Fetched]) -> None:
    one = other = all_seeing = KeyRing(rules=RULES)
    now = 0.0
    for each in fetches:
        now += each.seconds_later
        keys, withdrawn = [key(kid) for kid in sorted(each.keys)], each.withdrawn - each.keys
        if each.by_one:
            one = one.loaded(keys, now, withdrawn)
        if each.by_other:
            other = other.loaded(keys, now, withdrawn)
        if each.by_one or each.by_other:
            all_seeing = all_seeing.loaded(keys, now, withdrawn)

    for ring in (one.with_news_of(other), other.with_news_of(one)):
        assert ring.fetched_at == all_seeing.fetched_at
        assert ids(ring, now) == ids(all_seeing, now)
        # A withdrawal may be remembered for longer: which set was the first to be silent about it, neither ring tells.
        assert all(ring.withdraws(kid, now) for kid in "abc" if all_seeing.withdraws(kid, now))
