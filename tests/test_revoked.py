from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import worlds
from examples import examples
from usherd.changes import Lookup, News, Sought
from usherd.domain import SESSION_ISSUER, VerifiedClaims, VerifiedToken
from usherd.errors import RevocationsUnavailable
from usherd.options import LITELLM
from usherd.policy import ClaimPaths, Policy
from usherd.revocations import BYTES_EACH, Entry, Snapshot, heard, told
from usherd.revoked import PolicyRevocations, RevokedTokens

NOW = 1_800_000_000.0
LATER = NOW + 86_700
ID = "0123456789abcdef" * 2


class Copy:
    """A replica's copy of the list, with a clock and a feed that can be late."""

    def __init__(self, *entries: Entry, revision: int = 10, policy: Policy | None = None) -> None:
        self.now = NOW
        self.current = True
        self.wanted = 0
        self.list = RevokedTokens(lambda: self.now, lambda: self.current, self._want)
        self.under = PolicyRevocations(self.list, policy or worlds.policy())
        if revision:
            self.load(*entries, revision=revision)

    def load(self, *entries: Entry, revision: int) -> None:
        self.list.load(Snapshot({each.which: each for each in entries}, revision))

    def _want(self) -> None:
        self.wanted += 1

    def revoked(self, **claims: Any) -> bool:
        return self.under.revoked(token(**claims))

    def hear(self, *lookups: Lookup, revision: int = 20, all_known: bool = True) -> None:
        self.list.hear(News(revision, frozenset() if all_known else None, lookups, NOW))


def token(issuer: str = "idp", token_id: str = ID, **claims: Any) -> VerifiedToken:
    said = {name: value for name, value in ({"sub": "alice", "iat": int(NOW)} | claims).items() if value is not ...}
    return VerifiedToken(
        issuer=issuer,
        iss="https://idp.example",
        claims=VerifiedClaims(MappingProxyType(said)),
        token_id=token_id,
        key=None,
        expires_at=NOW + 600,
        not_before=NOW,
        leeway=30.0,
    )


def entry(sought: Sought, *key: str, before: float | None = None, until: float = LATER) -> Entry:
    return Entry(which=Lookup(sought, key), issued_before=before, until=until)


def test_what_was_not_loaded_yet_is_not_known() -> None:
    copy = Copy(revision=0)

    assert not copy.list.known
    with pytest.raises(RevocationsUnavailable):
        copy.revoked()


@pytest.mark.parametrize("entries", [(), (entry(Sought.TOKEN, ID),)])
def test_a_list_whose_news_are_late_is_not_known_whatever_is_in_it(entries: tuple[Entry, ...]) -> None:
    copy = Copy(*entries)
    copy.current = False

    assert not copy.list.known
    with pytest.raises(RevocationsUnavailable):
        copy.revoked()


def test_one_token_is_revoked_by_its_id_or_its_jti_and_no_other_is() -> None:
    by_id, by_jti = Copy(entry(Sought.TOKEN, ID)), Copy(entry(Sought.JTI, "idp", "7"))

    assert by_id.revoked()
    assert not by_id.revoked(token_id="f" * 32)
    assert by_jti.revoked(jti="7")
    assert not by_jti.revoked(jti="8")
    assert not by_jti.revoked()
    assert not by_jti.revoked(issuer="other", jti="7")
    assert not by_jti.revoked(jti=["7"])


@pytest.mark.parametrize(
    ("iat", "revoked"),
    [
        (int(NOW) - 1, True),
        (NOW - 0.001, True),
        (int(NOW), False),
        (NOW + 0.001, False),
        (int(NOW) + 29, False),
        (..., True),
        (None, True),
        (True, True),
        ("1900000000", True),
        (10**400, False),
    ],
)
def test_what_was_issued_before_is_revoked_to_the_instant_and_what_says_no_date_is(iat: Any, revoked: bool) -> None:
    for which in (entry(Sought.ISSUER, "idp", before=NOW), entry(Sought.SUBJECT, "idp", "alice", before=NOW)):
        assert Copy(which).revoked(iat=iat) is revoked


def test_a_subject_is_whom_sub_names_and_whom_the_policy_takes_for_the_user() -> None:
    issuer = worlds.issuer(claims=ClaimPaths(user=("ext", "uid"), email=("email",)))
    copy = Copy(entry(Sought.SUBJECT, "idp", "alice", before=NOW), policy=worlds.policy(issuers=(issuer,)))
    old = {"iat": NOW - 1}

    assert copy.revoked(sub="alice", ext={"uid": "other"}, **old)
    assert copy.revoked(sub="other", ext={"uid": "alice"}, **old)
    assert not copy.revoked(sub="other", ext={"uid": "other"}, email="alice", **old)
    assert not copy.revoked(sub="other", ext={"uid": ["alice"]}, **old)
    assert not copy.revoked(issuer="elsewhere", **old)
    assert not copy.revoked(iat=NOW)


def test_where_an_address_or_an_object_stands_for_the_user_it_is_a_subject_too() -> None:
    lax = worlds.policy(options=replace(LITELLM, email_as_id=True))
    copy = Copy(entry(Sought.SUBJECT, "idp", "a@x.example", before=NOW), policy=lax)

    assert copy.revoked(sub="other", email="a@x.example", iat=NOW - 1)
    assert copy.revoked(sub="other", oid="a@x.example", iat=NOW - 1)


def test_sessions_are_revoked_by_the_name_of_all_or_of_one_user() -> None:
    session = {"issuer": SESSION_ISSUER, "sub": ..., "iat": ..., "user_id": "alice"}

    assert Copy(entry(Sought.ISSUER, SESSION_ISSUER, before=NOW)).revoked(**session)
    assert Copy(entry(Sought.SUBJECT, SESSION_ISSUER, "alice", before=NOW)).revoked(**session)
    assert not Copy(entry(Sought.SUBJECT, SESSION_ISSUER, "bob", before=NOW)).revoked(**session)
    assert not Copy(entry(Sought.ISSUER, "idp", before=NOW)).revoked(**session)


def test_a_session_that_is_a_users_token_is_revoked_with_the_users_tokens() -> None:
    lax = worlds.policy(options=replace(LITELLM, session_identity="claims"))
    copy = Copy(entry(Sought.SUBJECT, "idp", "alice", before=NOW), policy=lax)

    assert copy.revoked(issuer=SESSION_ISSUER, iat=...)


def test_a_revocation_counts_until_its_end_and_not_after() -> None:
    copy = Copy(entry(Sought.TOKEN, ID), entry(Sought.JTI, "idp", "7", until=math.inf))

    copy.now = LATER - 0.001
    assert copy.revoked()
    copy.now = LATER
    assert not copy.revoked()
    assert copy.revoked(jti="7")


def test_news_revoke_and_lift_at_once() -> None:
    copy, what = Copy(), entry(Sought.SUBJECT, "idp", "alice", before=NOW + 1)

    copy.hear(what.which, told(what, 20))
    assert copy.revoked()
    copy.hear(what.which, told(what, 21, lifted=True), revision=21)
    assert not copy.revoked()
    assert len(copy.list) == 0


def test_what_was_found_about_a_token_is_not_kept_beyond_a_change_or_its_end() -> None:
    copy, what, asked = Copy(entry(Sought.JTI, "idp", "other")), entry(Sought.TOKEN, ID), token()

    said = [copy.under.revoked(asked)]
    copy.hear(told(what, 20))
    said.append(copy.under.revoked(asked))
    copy.now = LATER
    said.append(copy.under.revoked(asked))
    copy.now = NOW
    copy.hear(told(what, 21, lifted=True), revision=21)
    said.append(copy.under.revoked(asked))
    copy.hear(revision=30, all_known=False)
    copy.load(what, revision=30)
    said.append(copy.under.revoked(asked))

    assert said == [False, True, False, False, True]


def test_several_changes_in_one_piece_of_news_count_in_the_order_of_their_revisions() -> None:
    copy, what = Copy(), entry(Sought.TOKEN, ID)

    copy.hear(told(what, 22), told(what, 21, lifted=True), told(what, 20), revision=22)

    assert copy.revoked()


def test_news_that_came_during_the_load_count_when_they_are_younger_than_it() -> None:
    copy = Copy(revision=0)
    old, new = entry(Sought.TOKEN, "a" * 32), entry(Sought.TOKEN, "b" * 32)
    copy.hear(told(old, 19, lifted=True), revision=19)
    copy.hear(told(new, 21), revision=21)

    copy.load(old, revision=20)

    assert copy.revoked(token_id="a" * 32)
    assert copy.revoked(token_id="b" * 32)


def test_after_news_that_do_not_say_all_nothing_is_known_until_the_list_was_read_after_them() -> None:
    copy = Copy(entry(Sought.TOKEN, ID))

    copy.hear(revision=30, all_known=False)

    assert copy.wanted == 1
    for revision in (None, 29):
        if revision is not None:
            copy.load(revision=revision)
        with pytest.raises(RevocationsUnavailable):
            copy.revoked()
    copy.load(revision=30)
    assert not copy.revoked()


def test_another_policy_over_the_same_directory_costs_nothing_of_the_list() -> None:
    copy = Copy(entry(Sought.TOKEN, ID))

    copy.list.hear(News(10, None, (), NOW, told_anew=True))

    assert copy.wanted == 0
    assert copy.revoked()


@pytest.mark.parametrize("key", [(), ("x",), ("21", "2", "", "1.0", "t"), ("21", "13", "", "nan", ID)])
def test_news_that_cannot_be_read_make_the_list_be_loaded_anew(key: tuple[str, ...]) -> None:
    copy = Copy()

    copy.hear(Lookup(Sought.REVOCATION, key), revision=21)

    assert copy.wanted == 1
    with pytest.raises(RevocationsUnavailable):
        copy.revoked()


_SUBJECTS = st.sampled_from(["alice", "bob", ""])
_TIMES = st.sampled_from([NOW - 1, NOW, NOW + 0.5, NOW + 1])
_ENTRIES = st.one_of(
    st.builds(lambda i, u: entry(Sought.TOKEN, i, until=u), st.sampled_from(["a" * 32, "b" * 32]), _TIMES),
    st.builds(
        lambda i, j, u: entry(Sought.JTI, i, j, until=u), st.sampled_from(["idp", "x"]), st.sampled_from("12"), _TIMES
    ),
    st.builds(
        lambda i, s, b, u: entry(Sought.SUBJECT, i, s, before=b, until=u),
        st.sampled_from(["idp", "x"]),
        _SUBJECTS,
        _TIMES,
        _TIMES,
    ),
    st.builds(
        lambda i, b, u: entry(Sought.ISSUER, i, before=b, until=u), st.sampled_from(["idp", "x"]), _TIMES, _TIMES
    ),
)
_TOKENS = st.builds(
    lambda issuer, token_id, sub, uid, jti, iat: token(issuer, token_id, sub=sub, uid=uid, jti=jti, iat=iat),
    st.sampled_from(["idp", "x", "y"]),
    st.sampled_from(["a" * 32, "b" * 32, "c" * 32]),
    _SUBJECTS,
    _SUBJECTS,
    st.sampled_from(["1", "2", "3", 1]),
    st.one_of(_TIMES, st.integers(int(NOW) - 1, int(NOW) + 1), st.just("x")),
)


def is_about(each: Entry, asked: VerifiedToken) -> bool:
    (kind, key), claims = each.which, asked.claims
    iat = claims["iat"]
    before = not isinstance(iat, (int, float)) or (each.issued_before is not None and iat < each.issued_before)
    if kind is Sought.TOKEN:
        return key == (asked.token_id,)
    if kind is Sought.JTI:
        return key == (asked.issuer, claims["jti"])
    if kind is Sought.SUBJECT:
        return before and key[0] == asked.issuer and key[1] in (claims["sub"], claims["uid"])
    return before and key == (asked.issuer,)


def scanned(entries: list[Entry], asked: VerifiedToken, now: float) -> bool:
    """The same by looking at each entry: slow, and easy to read."""
    return any(now < each.until and is_about(each, asked) for each in entries)


@examples(400)
@given(st.lists(st.tuples(_ENTRIES, st.booleans()), max_size=12), _TOKENS, _TIMES)
def test_law_the_copy_says_what_a_look_at_each_entry_says(
    history: list[tuple[Entry, bool]], asked: VerifiedToken, now: float
) -> None:
    both = tuple(worlds.issuer(name, claims=ClaimPaths(user=("uid",))) for name in ("idp", "x", "y"))
    copy = Copy(policy=worlds.policy(issuers=both))
    kept: dict[Lookup, Entry] = {}
    for revision, (each, lifted) in enumerate(history, 11):
        copy.hear(told(each, revision, lifted=lifted), revision=revision)
        kept = {which: old for which, old in kept.items() if which != each.which}
        kept |= {} if lifted else {each.which: each}
    copy.now = now

    assert copy.under.revoked(asked) is scanned(list(kept.values()), asked, now)


@given(_ENTRIES, st.integers(1, 2**62), st.booleans())
def test_what_the_change_log_tells_is_heard_as_it_was(each: Entry, revision: int, lifted: bool) -> None:
    assert heard(told(each, revision, lifted=lifted)) == (revision, each.which, None if lifted else each)


def test_entries_of_the_longest_ids_take_no_more_memory_than_is_said() -> None:
    copy, count = Copy(), 5000
    news = [entry(Sought.SUBJECT, "idp", f"{number:0256d}", before=NOW) for number in range(count)]
    lookups = [told(each, 11 + place) for place, each in enumerate(news)]
    del news
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    for place, each in enumerate(lookups):
        copy.hear(Lookup(each.sought, tuple(text + "" for text in each.key)), revision=11 + place)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert len(copy.list) == count
    # The texts of the keys are the test's own: what they take is added.
    assert used / count + 256 + 49 <= BYTES_EACH


def test_a_database_that_was_restored_is_followed_from_its_own_revisions_on() -> None:
    copy = Copy(entry(Sought.TOKEN, ID), revision=100)
    copy.hear(revision=100, all_known=False)
    copy.load(entry(Sought.TOKEN, ID), revision=100)

    copy.hear(revision=50, all_known=False)
    copy.load(revision=50)

    assert not copy.revoked()
    copy.hear(told(entry(Sought.TOKEN, ID), 51), revision=51)
    assert copy.revoked()


def test_a_list_that_was_being_read_when_it_was_lost_is_no_use_whatever_its_revision_says() -> None:
    copy = Copy(revision=0)
    begun = copy.list.losses
    copy.hear(revision=50, all_known=False)

    copy.list.load(Snapshot({}, 100), begun)

    assert not copy.list.known
