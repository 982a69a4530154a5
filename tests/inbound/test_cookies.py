"""What is handed on of a browser's cookies: all but sessions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from usherd.inbound.cookies import PREFIX, session_cookie, without_sessions
from usherd.inbound.refused import RequestRefused


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([], None),
        ([b"a=1; b=2", b"c=3,4"], None),
        ([b"a=1; litellm_ui_token_7=t; b=2"], b"a=1; b=2"),
        ([b"litellm_ui_token_7=t"], b""),
        ([b"litellm_ui_token_7"], b""),
        ([b"a=1", b" litellm_ui_token_7 = t ;", b"b=2"], b"a=1; b=2"),
        ([b"litellm_ui_token_7=t; litellm_ui_token_x=u;;c=3"], b"c=3"),
        ([b"a=1,litellm_ui_token_7=t; b=2"], b"b=2"),
        ([b"a=\xff; litellm_ui_token_7=t\xff; b=\xc3\xa9"], b"b=\xc3\xa9"),
        ([b"a=litellm_ui_token_7; my_litellm_ui_token_7=t"], None),
    ],
)
def test_sessions_are_taken_off_and_their_neighbours_stay(sent: list[bytes], expected: bytes | None) -> None:
    assert without_sessions(sent) == expected


_PIECES = st.sampled_from([PREFIX, "1", "2", "=", "t", ";", ",", " ", "\t", '"', "a", "é"])


@examples(500)
@given(st.lists(st.lists(_PIECES, max_size=12).map("".join), max_size=3))
def test_where_there_was_a_session_nothing_that_goes_on_is_one(headers: list[str]) -> None:
    def found(of: list[str]) -> bool:
        try:
            # As it came, and as Envoy joins headers.
            return any(session_cookie(each) is not None for each in (of, ",".join(of).split(",")))
        except RequestRefused:
            return True

    others = without_sessions([each.encode() for each in headers])

    if found(headers):
        assert others is not None
    if others is not None:
        assert not found([others.decode()])
