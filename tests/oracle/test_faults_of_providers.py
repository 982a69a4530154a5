"""A real usherd beside providers that fail in every way, all at once, while calls flow and the policy changes."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from oracle.daemon import ALWAYS, DEADLINE, until
from oracle.judge import ALLOWED, NO_KEYS
from oracle.provider import Provider
from oracle.timeline import SLACK, Rules
from oracle.watch import watching
from tools.faults import LATE_BUT_GOOD, Fault
from tools.key_server import DISCOVERY_PATH

DOCS = Path(__file__).resolve().parents[2] / "docs" / "operations" / "keys.md"
RATE = 150
RULES = Rules(every=10, stale_for=0, removed_grace=5, cooldown=6, timeout=5)
IMPATIENT = replace(RULES, timeout=1)
"""For faults that end with the time that a document may take."""
RELOAD_BEFORE = 1.5
"""Seconds before the keys go stale."""
RECOVERY = 11.0
"""Seconds after which a provider must have been asked again: a failed refresh is tried again within `every`."""


def stated() -> dict[str, str]:
    """The cause that the documentation names for each fault; `none` for those with which a provider is of use."""
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| `?([a-z_]+)`? \|$", DOCS.read_text(), re.MULTILINE)
    return dict(rows)


def test_every_fault_has_a_stated_outcome() -> None:
    assert set(stated()) == {*Fault, "other_issuer in discovery"}
    assert {fault for fault, cause in stated().items() if cause == "none"} == LATE_BUT_GOOD


@pytest.mark.slow
async def test_each_fault_has_its_stated_outcome_for_as_long_as_stated(tmp_path: Path) -> None:
    providers = {
        each.value: Provider(f"p-{number}", IMPATIENT if each in (Fault.HANG, Fault.DRIP) else RULES, deadline=DEADLINE)
        for number, each in enumerate(Fault)
    }
    elsewhere = providers["other_issuer in discovery"] = Provider("p-discovery", RULES, deadline=DEADLINE)
    failing = [each for name, each in providers.items() if name in set(Fault) - LATE_BUT_GOOD]
    async with AsyncExitStack() as stack:
        for each in providers.values():
            await stack.enter_async_context(each)
        watch = await stack.enter_async_context(watching(tmp_path, list(providers.values())))
        async with watch.flowing(RATE):
            loaded = max(each.server.served[-1].asked for each in providers.values())
            known = {name: each.of_kind("good") for name, each in providers.items()}
            for name, each in providers.items():
                each.server.status_headers = {"Retry-After": "1"}
                # In the middle of an outage the provider begins to sign with another key.
                each.rotate()
                await each.fail(Fault(name.partition(" ")[0]), DISCOVERY_PATH if each is elsewhere else "/keys")

            first = await watch.callers.once((token, ALWAYS) for token in known.values())
            denied = await watch.callers.once((each.of_kind("good"), ALWAYS) for each in failing)
            await asyncio.sleep(loaded + RULES.stale_after - RELOAD_BEFORE - time.monotonic())
            # A new house asks everybody, discovery documents included, and takes over what nobody tells it.
            second = await watch.callers.once((token, ALWAYS) for token in known.values())
            await watch.daemon.reload()

            await asyncio.sleep(loaded + RULES.stale_after + 0.2 - time.monotonic())
            stale = await watch.callers.once((known[name], ALWAYS) for name in Fault)
            unknown = await watch.callers.once((each.of_kind("good"), ALWAYS) for each in failing)

            for each in providers.values():
                await each.fail(None, DISCOVERY_PATH if each is elsewhere else "/keys")
            back = time.monotonic()
            served = [each.server.served for each in providers.values()]
            await until(lambda: all(each[-1].asked > back for each in served), RECOVERY)
            await asyncio.sleep(SLACK)
            last = await watch.callers.once((each.of_kind("good"), ALWAYS) for each in providers.values())
        causes = {
            name: {event["cause"] for event in watch.daemon.events("key_set_failed") if event["issuer"] == each.name}
            for name, each in providers.items()
        }

    assert watch.tally.examples == []
    assert watch.tally.all_calls > 100 * len(providers) / 10
    assert {call.outcome for call in (*first, *second, *last)} == {ALLOWED}
    assert {call.outcome for call in denied} == {"UNKNOWN_KEY"}
    told = dict(zip(Fault, (call.outcome for call in stale), strict=True))
    assert told == {fault: ALLOWED if fault in LATE_BUT_GOOD else NO_KEYS for fault in Fault}
    assert {call.outcome for call in unknown} == {NO_KEYS}
    assert {name: cause for name, cause in causes.items() if name not in LATE_BUT_GOOD} == {
        name: {cause} for name, cause in stated().items() if name not in LATE_BUT_GOOD
    }
