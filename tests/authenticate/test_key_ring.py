"""What an issuer's keys are over time: pure, so that time is just a number here."""

from __future__ import annotations

import dataclasses

import pytest

import keyring
from usherd.authenticate.key_ring import MAX_RETAINED, KeyRing, RingRules
from usherd.authenticate.keys import load_key_set
from usherd.domain import VerificationKey
from usherd.errors import KeysUnavailable

HOUR = 3600.0
RULES = RingRules(stale_after=100 * HOUR)


def key(kid: str | None, thumbprint: str = "", algorithm: str = "RS256") -> VerificationKey:
    return VerificationKey(
        issuer="idp",
        kid=kid,
        thumbprint=thumbprint or f"of {kid}",
        algorithms=frozenset({algorithm}),
        signature_size={algorithm: 256},
        material=object(),
    )


A, B, C = key("a"), key("b"), key("c")


def test_before_the_first_set_keys_are_unavailable() -> None:
    ring = KeyRing(rules=RULES)

    with pytest.raises(KeysUnavailable):
        ring.find("a", 0)
    with pytest.raises(KeysUnavailable):
        ring.trusts(A, 0)
    assert ring.usable_for(0) == 0


def test_loaded_keys_are_found_by_id() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0)

    assert (ring.find("a", 1), ring.find("b", 1), ring.find("c", 1)) == (A, B, None)
    assert ring.trusts(A, 1)
    assert not ring.trusts(C, 1)


def test_a_removed_key_is_trusted_for_the_grace_after_it_was_last_seen() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0).loaded([A, B], 10).loaded([A], 20)

    assert ring.find("b", 10 + 72 * HOUR - 1) is B
    assert ring.find("b", 10 + 72 * HOUR) is None
    assert not ring.trusts(B, 10 + 72 * HOUR)
    assert ring.find("a", 10 + 72 * HOUR) is A


def test_a_key_that_comes_back_counts_as_published_again() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0).loaded([A], HOUR).loaded([A, B], 2 * HOUR)

    assert ring.find("b", 2 * HOUR + 90 * HOUR) is B


def test_removal_is_counted_from_the_last_sight_and_not_from_the_last_fetch() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0)

    for hour in range(1, 80):
        ring = ring.loaded([A], hour * HOUR)

    assert ring.find("b", 79 * HOUR) is None
    assert [each.kid for each in ring.keys(79 * HOUR)] == ["a"]


def test_a_set_without_a_usable_key_changes_nothing() -> None:
    ring = KeyRing(rules=RULES).loaded([A], 0)

    assert ring.loaded([], 50 * HOUR) is ring
    assert ring.loaded([], 50 * HOUR, frozenset({"b"})).find("a", 51 * HOUR) is A
    assert ring.loaded([key("b", "one"), key("b", "two")], 50 * HOUR).usable_for(51 * HOUR) == 49 * HOUR


def test_stale_keys_are_unavailable_and_not_unknown() -> None:
    ring = KeyRing(rules=RULES).loaded([A], HOUR)

    assert ring.find("a", 101 * HOUR - 1) is A
    assert ring.usable_for(101 * HOUR - 1) == 1
    for kid in ("a", "unknown", None):
        with pytest.raises(KeysUnavailable):
            ring.find(kid, 101 * HOUR)


def test_denied_keys_are_never_found() -> None:
    rules = dataclasses.replace(RULES, denied=frozenset({"a", "of b"}))

    ring = KeyRing(rules=rules).loaded([A, B, C], 0)

    assert [ring.find(kid, 1) for kid in ("a", "b", "c")] == [None, None, C]


def test_a_key_that_takes_over_an_id_replaces_the_older_one_at_once() -> None:
    newer = key("a", "newer")

    ring = KeyRing(rules=RULES).loaded([A, B], 0).loaded([newer, B], 1)

    assert ring.find("a", 2) is newer
    assert not ring.trusts(A, 2)


def test_a_withdrawn_key_goes_at_once() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0)

    assert ring.loaded([A], 1, frozenset({"b"})).find("b", 2) is None
    assert ring.loaded([A, B, key("b", "other")], 1).find("b", 2) is None
    assert ring.loaded([A, B], 1, frozenset({"c"})).find("b", 2) is B


@pytest.mark.parametrize("doubled", [[], [key("a", "one"), key("a", "two")]])
def test_a_withdrawn_key_goes_at_once_even_if_no_usable_one_is_left(doubled: list[VerificationKey]) -> None:
    withdrawn = frozenset[str]() if doubled else frozenset({"a"})

    ring = KeyRing(rules=RULES).loaded([A], 0).loaded(doubled, HOUR, withdrawn)

    assert (ring.find("a", 2 * HOUR), ring.find(None, 2 * HOUR), ring.keys(2 * HOUR)) == (None, None, ())
    assert not ring.trusts(A, 2 * HOUR)
    with pytest.raises(KeysUnavailable):
        ring.find("a", 100 * HOUR)


def test_what_a_set_without_usable_keys_does_not_withdraw_stays_and_grows_stale() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0).loaded([], HOUR, frozenset({"a"}))

    assert (ring.find("a", 2 * HOUR), ring.find("b", 2 * HOUR)) == (None, B)
    assert ring.usable_for(2 * HOUR) == 98 * HOUR


def test_a_withdrawal_is_remembered_as_long_as_a_removed_key_until_the_id_is_published_again() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0).loaded([A], HOUR, frozenset({"b"}))
    silent = ring.loaded([A], 2 * HOUR)

    assert ring.withdraws("b", 1000 * HOUR)
    assert not ring.withdraws("a", 2 * HOUR)
    assert silent.withdraws("b", 74 * HOUR - 1)
    assert not silent.withdraws("b", 74 * HOUR)
    assert not silent.loaded([A, B], 3 * HOUR).withdraws("b", 3 * HOUR)


def test_remembered_withdrawals_are_bounded() -> None:
    ring = KeyRing(rules=RULES)

    for number in range(3 * MAX_RETAINED):
        ring = ring.loaded([A], number, frozenset({str(number)}))

    last = 3 * MAX_RETAINED
    assert sum(ring.withdraws(str(number), last) for number in range(last)) == MAX_RETAINED + 1
    assert ring.withdraws(str(last - 2), last)


def test_a_denied_id_does_not_find_a_lone_key_without_an_id() -> None:
    nameless = key(None, "nameless")
    rules = dataclasses.replace(RULES, denied=frozenset({"a"}), nameless_fits_any=True)

    ring = KeyRing(rules=rules).loaded([nameless], 0)

    assert (ring.find("a", 1), ring.find("b", 1), ring.find(None, 1)) == (None, nameless, nameless)


def test_a_key_is_trusted_until_the_set_is_stale_or_its_grace_ends() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0).loaded([A], HOUR)
    slow = dataclasses.replace(RULES, stale_after=10 * HOUR)

    assert ring.trusted_for(A, 2 * HOUR) == 99 * HOUR
    assert ring.trusted_for(B, 2 * HOUR) == 70 * HOUR
    assert ring.trusted_for(B, 72 * HOUR) == 0
    assert ring.trusted_for(A, 101 * HOUR) == 0
    assert ring.trusted_for(C, 2 * HOUR) == 0
    assert ring.trusted_for(key("a", "other"), 2 * HOUR) == 0
    assert KeyRing(rules=slow).loaded([A, B], 0).loaded([A], HOUR).trusted_for(B, 2 * HOUR) == 9 * HOUR
    assert KeyRing(rules=RULES).trusted_for(A, 0) == 0


@pytest.mark.parametrize("nameless_fits_any", [False, True])
@pytest.mark.parametrize(
    "sets", [(), ([A, B], [A]), ([key(None, "lone")],), ([A, key(None, "lone")],), ([A], [B], [C])]
)
def test_a_key_is_trusted_up_to_the_moment_that_was_told_and_no_longer(
    sets: tuple[list[VerificationKey], ...], nameless_fits_any: bool
) -> None:
    ring = KeyRing(rules=dataclasses.replace(RULES, denied=frozenset({"c"}), nameless_fits_any=nameless_fits_any))
    for number, keys in enumerate(sets):
        ring = ring.loaded(keys, number * HOUR)

    def is_trusted(asked: VerificationKey, now: float) -> bool:
        try:
            return ring.trusts(asked, now)
        except KeysUnavailable:
            return False

    for asked in (A, B, C, key(None, "lone"), key("a", "lone"), key("a", "other"), key("a", "of a", "PS256")):
        until = ring.trusted_until(asked)
        for now in (2 * HOUR, 71.9 * HOUR, 72 * HOUR, 73 * HOUR, 99 * HOUR, 100 * HOUR, 101 * HOUR, 102 * HOUR):
            assert is_trusted(asked, now) == (now < until)


def test_a_key_whose_private_part_is_published_is_withdrawn() -> None:
    good, leaked = keyring.key_pair("P-256", "good"), keyring.key_pair("P-256", "leaked")
    before = load_key_set(keyring.key_set(good, leaked), issuer="idp", algorithms=keyring.ALGORITHMS)
    after = load_key_set([good.jwk(), leaked.jwk(d="AQ")], issuer="idp", algorithms=keyring.ALGORITHMS)

    ring = KeyRing(rules=RULES).loaded(before.keys, 0).loaded(after.keys, 1, after.withdrawn)

    assert (ring.find("good", 2), ring.find("leaked", 2)) == (before.keys[0], None)


def test_a_key_whose_algorithms_change_is_not_the_same_key() -> None:
    ring = KeyRing(rules=RULES).loaded([A], 0).loaded([key("a", algorithm="PS256")], 1)

    assert not ring.trusts(A, 2)


def test_the_same_key_stays_the_same_object() -> None:
    ring = KeyRing(rules=RULES).loaded([A], 0).loaded([key("a")], 1)

    assert ring.find("a", 2) is A
    assert ring.find(None, 2) is A


def test_a_key_from_two_documents_is_one_key_and_two_keys_of_one_id_are_none() -> None:
    ring = KeyRing(rules=RULES).loaded([A, key("a"), B, key("b", "other"), C], 0)

    assert [ring.find(kid, 1) for kid in ("a", "b", "c")] == [A, None, C]


def test_without_an_id_only_the_only_key_is_found() -> None:
    nameless = key(None, "nameless")

    assert KeyRing(rules=RULES).loaded([A], 0).find(None, 1) is A
    assert KeyRing(rules=RULES).loaded([nameless], 0).find(None, 1) is nameless
    assert KeyRing(rules=RULES).loaded([A, B], 0).find(None, 1) is None
    assert KeyRing(rules=RULES).loaded([nameless, key(None, "other")], 0).find(None, 1) is None
    # A key within its grace is trusted by its id, and does not make the published one less alone.
    assert KeyRing(rules=RULES).loaded([A, B], 0).loaded([A], 1).find(None, 2) is A


def test_removed_keys_are_bounded_and_the_oldest_go_first() -> None:
    ring = KeyRing(rules=RULES)

    for number in range(3 * MAX_RETAINED):
        ring = ring.loaded([key(str(number))], number)

    last = 3 * MAX_RETAINED
    assert len(ring.keys(last)) == MAX_RETAINED + 1
    assert ring.find(str(last - 2), last) is not None
    assert ring.find("0", last) is None


def test_keys_that_are_given_in_full_never_grow_stale() -> None:
    ring = KeyRing(rules=RingRules(stale_after=float("inf"))).loaded([A], 0)

    assert ring.usable_for(1e12) == float("inf")
    assert ring.find("a", 1e12) is A


def test_a_loaded_set_is_a_ring_of_real_keys() -> None:
    keys = keyring.verification_keys("idp", [keyring.key_pair("P-256", "a").jwk()])

    ring = KeyRing(rules=RULES).loaded(keys, 0)

    assert ring.find("a", 1) is keys[0]


def test_under_other_rules_the_same_keys_count_but_for_those_that_they_deny() -> None:
    ring = KeyRing(rules=RULES).loaded([A, B], 0).loaded([A], HOUR, withdrawn=frozenset({"w"}))
    shorter = dataclasses.replace(RULES, removed_grace=10 * HOUR)

    kept = ring.under(shorter)
    denying = ring.under(dataclasses.replace(RULES, denied=frozenset({"a"})))
    by_thumbprint = ring.under(dataclasses.replace(RULES, denied=frozenset({B.thumbprint})))

    assert (kept.find("a", 2 * HOUR), kept.find("b", 2 * HOUR), kept.find("b", 10 * HOUR)) == (A, B, None)
    assert kept.rules is shorter
    assert kept.fetched_at == HOUR
    assert kept.withdraws("w", 2 * HOUR)
    assert kept.find(None, 2 * HOUR) is A
    assert (denying.find("a", 2 * HOUR), denying.find(None, 2 * HOUR), denying.find("b", 2 * HOUR)) == (None, None, B)
    assert (by_thumbprint.find("a", 2 * HOUR), by_thumbprint.find("b", 2 * HOUR)) == (A, None)
    # What they denied is gone: rules that deny nothing do not bring it back.
    assert denying.under(RULES).find("a", 2 * HOUR) is None
    assert denying.under(RULES).find(None, 2 * HOUR) is None
    assert KeyRing(rules=RULES).under(shorter).fetched_at is None


def test_of_two_rings_of_one_key_set_the_newer_set_counts() -> None:
    start = KeyRing(rules=RULES).loaded([A, B], 0)
    one, other = start.loaded([A, C], 10), start.loaded([A], 20)

    for ring in (one.with_news_of(other), other.with_news_of(one)):
        assert ring.fetched_at == 20
        assert (ring.find("a", 21), ring.find("b", 21), ring.find("c", 21)) == (A, B, C)
        # A key is removed from when either has seen it last.
        assert ring.find("b", 72 * HOUR - 1) is B
        assert ring.find("b", 72 * HOUR) is None
        assert ring.find("c", 10 + 72 * HOUR - 1) is C
        assert ring.find("c", 10 + 72 * HOUR) is None
        assert ring.find(None, 21) is A


def test_a_ring_learns_its_first_set_from_another() -> None:
    loaded = KeyRing(rules=RULES).loaded([A], 10)

    assert KeyRing(rules=RULES).with_news_of(loaded).find("a", 11) is A
    assert loaded.with_news_of(KeyRing(rules=RULES)).find("a", 11) is A


def test_what_another_ring_withdrew_later_is_gone() -> None:
    start = KeyRing(rules=RULES).loaded([A, B, C], 0)
    one, other = start.loaded([], 10, frozenset({"a"})), start.loaded([], 20, frozenset({"b"}))

    for ring in (one.with_news_of(other), other.with_news_of(one)):
        assert (ring.find("a", 21), ring.find("b", 21), ring.find("c", 21)) == (None, None, C)
        assert (ring.withdraws("a", 21), ring.withdraws("b", 21)) == (True, True)


def test_what_a_newer_set_withdraws_does_not_come_back_from_an_older_one() -> None:
    start = KeyRing(rules=RULES).loaded([A, B], 0)
    one, other = start.loaded([A], 20, frozenset({"b"})), start.loaded([A, B], 10)

    for ring in (one.with_news_of(other), other.with_news_of(one)):
        assert (ring.find("a", 21), ring.find("b", 21)) == (A, None)


def test_what_was_withdrawn_before_the_newer_set_does_not_come_back() -> None:
    start = KeyRing(rules=RULES).loaded([A, B], 0)
    # The newer set is silent about the key that the other one withdrew.
    one, other = start.loaded([A], 10, frozenset({"b"})), start.loaded([A], 20)

    for ring in (one.with_news_of(other), other.with_news_of(one)):
        assert (ring.find("a", 21), ring.find("b", 21)) == (A, None)
        assert ring.withdraws("b", 20 + 72 * HOUR - 1)
        assert not ring.withdraws("b", 20 + 72 * HOUR)


def test_what_sets_without_usable_keys_withdrew_one_after_the_other_is_gone() -> None:
    start = KeyRing(rules=RULES).loaded([A, B, C], 0)
    one = start.loaded([], 10, frozenset({"a"})).loaded([], 20, frozenset({"b"}))

    for ring in (one.with_news_of(start), start.with_news_of(one)):
        assert (ring.find("a", 21), ring.find("b", 21), ring.find("c", 21)) == (None, None, C)


def test_a_key_that_either_has_seen_after_its_withdrawal_keeps_its_grace() -> None:
    start = KeyRing(rules=RULES).loaded([A], 0, frozenset({"b"}))
    one, other = start.loaded([A, B], 10).loaded([A], 20), start.loaded([A], 20)

    for ring in (one.with_news_of(other), other.with_news_of(one)):
        assert ring.find("b", 21) is B
        assert not ring.withdraws("b", 21)


def test_what_a_newer_set_publishes_again_is_no_longer_withdrawn() -> None:
    start = KeyRing(rules=RULES).loaded([A, B], 0)
    one, other = start.loaded([], 10, frozenset({"b"})), start.loaded([A, B], 20)

    for ring in (one.with_news_of(other), other.with_news_of(one)):
        assert (ring.find("a", 21), ring.find("b", 21)) == (A, B)


def test_a_ring_learns_nothing_that_its_own_rules_deny() -> None:
    strict = KeyRing(rules=dataclasses.replace(RULES, denied=frozenset({"b"})))

    ring = strict.with_news_of(KeyRing(rules=RULES).loaded([A, B], 0))

    assert (ring.find("a", 1), ring.find("b", 1)) == (A, None)


def test_what_rings_remember_together_is_bounded_and_the_oldest_goes_first() -> None:
    def after(keys: list[VerificationKey], now: float) -> KeyRing:
        return KeyRing(rules=RULES).loaded(keys, now).loaded([A], 50 + now)

    one = after([key(f"one-{number}") for number in range(MAX_RETAINED)], 0)
    other = after([key(f"other-{number}") for number in range(MAX_RETAINED)], 1)

    kids = {each.kid for each in one.with_news_of(other).keys(60)}

    assert kids == {"a"} | {f"other-{number}" for number in range(MAX_RETAINED)}
