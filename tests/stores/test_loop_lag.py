"""A reload of a large key set does not hold up calls, and the lag of the event loop tells if something does."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from keyring import decode, encode, key_pair
from stores.support import Events, Hands, RunKeySets, issuer_keys
from tools.key_server import KeyServer
from usherd.stores.refreshed_keys import KeyEvent
from usherd.telemetry.histogram import Histogram
from usherd.telemetry.loop_lag import watch_lag

LONGEST = 0.05
EVERY = 0.002


class Longest(Histogram):
    """The longest of what it is told."""

    def __init__(self) -> None:
        super().__init__((1.0,))
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        super().observe(seconds)
        self.seconds = max(self.seconds, seconds)


def many(count: int, first: int) -> list[dict[str, Any]]:
    """So many RSA keys of 2048 bits, which are no key's: their moduli are odd numbers beside one that is."""
    jwk = key_pair("RSA", "many").jwk()
    modulus = int.from_bytes(decode(jwk["n"]), "big")
    return [
        jwk | {"kid": f"key-{number}", "n": encode((modulus + 2 * number).to_bytes(256, "big"))}
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize(("count", "usable"), [(100, True), (1000, False)])
async def test_reloading_a_large_key_set_lets_others_go_on(
    server: KeyServer, run: RunKeySets, stopwatch: Hands, events: Events, count: int, usable: bool
) -> None:
    longest: list[float] = []
    server.publish(*many(1, 0))
    async with run(issuer_keys(server.keys_url, refresh={"unknown_kid_cooldown": 1})) as keys:
        for attempt in range(6):
            server.publish(*many(count, attempt * count))
            lag = Longest()
            watching = asyncio.create_task(watch_lag(lag, EVERY))
            await asyncio.sleep(10 * EVERY)
            stopwatch.move(2)
            await keys.find_fresh("idp", "unknown", 30)
            await asyncio.sleep(10 * EVERY)
            watching.cancel()
            assert lag.count > 2
            longest.append(lag.seconds)

    # More than 100 keys are refused, after they were read.
    assert len(events.of(KeyEvent.LOADED)) == (7 if usable else 1)
    assert len(events.of(KeyEvent.FAILED)) == (0 if usable else 6)
    # The best of them: what else this machine does is not ours.
    assert min(longest) < LONGEST


async def test_what_blocks_the_event_loop_is_seen() -> None:
    lag = Longest()
    watching = asyncio.create_task(watch_lag(lag, EVERY))
    await asyncio.sleep(5 * EVERY)
    time.sleep(2 * LONGEST)  # noqa: ASYNC251 (this is what is to be seen)
    await asyncio.sleep(5 * EVERY)
    watching.cancel()

    assert lag.seconds > LONGEST
    assert lag.buckets()[0][1] == lag.count > 2
