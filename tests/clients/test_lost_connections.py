"""Both clients, and a peer that is gone without a word: its connection stays open, and says nothing any more."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from clients.faces import Face, Opens, both_clients
from tools.daemon import MODEL, ROUTE, daemon
from tools.silent_proxy import silent_proxy
from usher_client import UsherFault, channels
from usherd.rpc.limits import Limits
from usherd.rpc.options import options


async def seconds_until_allowed(client: Face, token: str) -> tuple[float, int]:
    """Asks until there is an answer; the seconds until then, and the questions that got none."""
    begun, lost = time.monotonic(), 0
    async with asyncio.timeout(30):
        while True:
            try:
                assert await client.authorize(token, ROUTE, MODEL, deadline=0.2)
            except UsherFault:
                lost += 1
            else:
                return time.monotonic() - begun, lost


@both_clients
async def test_a_connection_whose_peer_is_gone_without_a_word_is_left(
    opens: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "KEEPALIVE_TIME", 300)
    monkeypatch.setattr(channels, "KEEPALIVE_TIMEOUT", 300)
    async with (
        daemon(tmp_path) as usherd,
        silent_proxy(usherd.target) as proxy,
        opens(proxy.target) as client,
    ):
        assert await client.authorize(usherd.tokens["allow"], ROUTE, MODEL)
        proxy.lose_connections()
        took, lost = await seconds_until_allowed(client, usherd.tokens["allow"])

    assert lost > 0  # there was something to be noticed
    assert took < 5


def test_pings_are_no_more_than_a_server_takes() -> None:
    taken_each = {option.name: option.value for option in options(Limits())}[
        "grpc.http2.min_ping_interval_without_data_ms"
    ]

    assert 2 * taken_each <= channels.KEEPALIVE_TIME
