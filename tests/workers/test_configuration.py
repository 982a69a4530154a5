"""What only one worker can do does not load with more, and the text says which key stands in the way."""

from __future__ import annotations

import pytest

from usherd.config.problems import Unusable
from usherd.config.scalars import check_workers


@pytest.mark.parametrize(
    ("address", "sessions", "text"),
    [
        ("unix:/run/u.sock", None, "is 2, and a unix: socket is for one; expected 1, or server.address: host:port"),
        ("127.0.0.1:1", "127.0.0.1:2", "is 2, and sessions.http is served by one; expected 1, or no sessions.http"),
    ],
)
def test_one_worker_may_and_two_may_not(address: str, sessions: str | None, text: str) -> None:
    check_workers(1, address, sessions)

    with pytest.raises(Unusable) as refused:
        check_workers(2, address, sessions)

    assert str(refused.value) == text
