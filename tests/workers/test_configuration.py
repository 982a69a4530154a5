"""What only one worker can do does not load with more, and the text says which key stands in the way."""

from __future__ import annotations

import pytest

from usherd.config.problems import Unusable
from usherd.config.scalars import check_workers


def test_one_worker_may_have_a_unix_socket_and_two_may_not() -> None:
    check_workers(1, "unix:/run/u.sock")
    check_workers(2, "127.0.0.1:1")

    with pytest.raises(Unusable) as refused:
        check_workers(2, "unix:/run/u.sock")

    assert str(refused.value) == "is 2, and a unix: socket is for one; expected 1, or server.address: host:port"
