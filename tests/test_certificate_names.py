"""Names are compared whole: what only begins, ends or looks like a name that is meant is another one."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usherd import certificate_names
from usherd.callers import CallerRule, Callers, credential_digest
from usherd.errors import CallerUnknown

SEGMENT = st.from_regex(r"[A-Za-z0-9._-]{1,8}", fullmatch=True).filter(lambda text: text not in (".", ".."))
IDS = st.builds(
    lambda domain, path: "/".join([f"spiffe://{domain}", *path]),
    st.from_regex(r"[a-z0-9._-]{1,8}", fullmatch=True),
    st.lists(SEGMENT, max_size=4),
)


def _fits(pattern: str, found: str) -> bool:
    parts = certificate_names.spiffe_pattern(pattern)
    assert parts is not None
    return certificate_names.spiffe_matches(parts, certificate_names.spiffe_parts(found))


@given(IDS, IDS)
def test_an_id_without_a_wildcard_fits_itself_and_nothing_else(one: str, other: str) -> None:
    assert _fits(one, one)
    assert _fits(one, other) is (one == other)


@given(IDS, IDS, SEGMENT)
def test_a_wildcard_at_the_end_fits_what_is_below_and_nothing_beside_it(one: str, other: str, more: str) -> None:
    assert _fits(f"{one}/*", f"{one}/{more}")
    assert _fits(f"{one}/*", f"{one}/{more}/{more}")
    assert not _fits(f"{one}/*", one)
    assert not _fits(f"{one}/*", f"{one}{more}/{more}")
    assert _fits(f"{one}/*", other) is other.startswith(f"{one}/")


@given(IDS, SEGMENT, SEGMENT, SEGMENT)
def test_a_wildcard_in_the_middle_fits_one_segment(one: str, middle: str, more: str, last: str) -> None:
    assert _fits(f"{one}/*/{last}", f"{one}/{middle}/{last}")
    assert not _fits(f"{one}/*/{last}", f"{one}/{middle}/{more}/{last}")
    assert not _fits(f"{one}/*/{last}", f"{one}/{last}")


@given(IDS, st.text(min_size=1, max_size=4))
def test_an_id_with_anything_behind_it_is_another_id_or_none(one: str, more: str) -> None:
    assert not _fits(one, one + more)


@given(st.text(max_size=40))
def test_any_text_is_an_id_in_its_one_form_or_none(text: str) -> None:
    for each in (text, f"spiffe://{text}"):
        parts = certificate_names.spiffe_parts(each)
        assert parts is None or f"spiffe://{'/'.join(parts)}" == each


def test_an_id_is_at_most_2048_bytes_long_and_its_domain_255() -> None:
    longest = "spiffe://mesh/" + "a" * (2048 - len("spiffe://mesh/"))

    assert certificate_names.spiffe_parts(longest) is not None
    assert certificate_names.spiffe_parts(longest + "a") is None
    assert certificate_names.spiffe_parts("spiffe://" + "a" * 255) is not None
    assert certificate_names.spiffe_parts("spiffe://" + "a" * 256) is None


CREDENTIALS = [f"{number:032}" for number in range(5)]


@pytest.mark.parametrize("shown", [*CREDENTIALS, "x" * 32])
def test_every_credential_is_compared_whichever_was_shown(monkeypatch: pytest.MonkeyPatch, shown: str) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest
    rules = [CallerRule(name=each, credentials=(credential_digest(each),)) for each in CREDENTIALS]
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append(one) or compare(one, other))
    callers = Callers(rules)

    if shown in CREDENTIALS:
        assert callers.by_credential(f"Bearer {shown}", None).name == shown
    else:
        with pytest.raises(CallerUnknown):
            callers.by_credential(f"Bearer {shown}", None)

    assert compared == [credential_digest(each) for each in CREDENTIALS]
