"""usherd beside a real Keycloak: discovery, tokens of machines and people, its rotation of keys, and its absence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oracle.daemon import ALWAYS, DEADLINE, NEVER, until
from oracle.judge import ALLOWED, NO_KEYS
from oracle.timeline import SLACK, Rules
from oracle.watch import watching
from peers.keycloak import PERSON, Keycloak
from peers.openid import BRIEF, MACHINE
from peers.realm import Realm
from tools.fault_proxy import FaultProxy
from tools.faults import Fault

pytestmark = [pytest.mark.keycloak, pytest.mark.timeout(1200)]

RULES = Rules(every=10, stale_for=4, removed_grace=8, cooldown=1, timeout=2)
ROLES = {"service": {"client_id": [MACHINE, BRIEF]}, "user": {"azp": PERSON}}
RATE = 50


@asynccontextmanager
async def realm() -> AsyncIterator[tuple[Keycloak, Realm]]:
    async with Keycloak.started() as keycloak, FaultProxy(keycloak.origin) as proxy:
        made = Realm(
            "keycloak", keycloak.issuer, proxy, RULES, deadline=DEADLINE, keys_path=keycloak.keys_path, roles=ROLES
        )
        # Its service accounts are users of its own; only their tokens name the client so.
        made.service_when = {"client_id": "*"}
        made.back(await keycloak.kids())
        await hold(keycloak, made)
        yield keycloak, made


async def hold(keycloak: Keycloak, realm: Realm) -> None:
    realm.hold(
        machine=await keycloak.machine_token(),
        person=await keycloak.person_token("alice"),
        brief=await keycloak.machine_token(BRIEF),
    )


async def test_every_answer_is_right_while_keycloak_rotates_fails_and_is_away(tmp_path: Path) -> None:
    async with realm() as (keycloak, made), watching(tmp_path, [made]) as watch, watch.flowing(RATE):
        machine, person = made.of_kind("machine"), made.of_kind("person")
        first = await watch.callers.once([(machine, ALWAYS), (person, ALWAYS), (person, NEVER)])

        await keycloak.rotate()
        made.shows(await keycloak.kids())
        await hold(keycloak, made)
        assert made.of_kind("machine").kid != machine.kid
        await asyncio.sleep(2 * SLACK + RULES.cooldown)
        rotated = await watch.callers.once([(made.of_kind("machine"), ALWAYS), (machine, ALWAYS)])

        for fault in (Fault.STATUS_500, Fault.HTML, Fault.DOWN):
            await made.fail(fault)
            await asyncio.sleep(2)
            await made.fail(None)
        await watch.daemon.reload()

        # It stands still, as a process that the machine has no time for, and longer than the keys serve without it.
        made.away()
        keycloak.pause()
        last = max(each.asked for each in made.server.served)
        await asyncio.sleep(max(0.0, last + RULES.stale_after + 0.5 - time.monotonic()))
        away = await watch.callers.once([(machine, ALWAYS), (person, NEVER)])
        keycloak.go_on()
        made.back(await keycloak.kids())
        back = time.monotonic()
        await until(lambda: made.server.served[-1].asked > back, RULES.every + 2)
        await asyncio.sleep(SLACK)
        again = await watch.callers.once([(machine, ALWAYS)])

        await keycloak.remove_oldest()
        made.shows(await keycloak.kids())
        await asyncio.sleep(RULES.every + RULES.removed_grace + SLACK)
        gone = await watch.callers.once([(machine, ALWAYS), (made.of_kind("machine"), ALWAYS)])

    assert watch.tally.examples == []
    assert [call.outcome for call in first] == [ALLOWED, ALLOWED, "MODEL_NOT_GRANTED"]
    assert [call.outcome for call in rotated] == [ALLOWED, ALLOWED]
    assert [call.outcome for call in away] == [NO_KEYS, NO_KEYS]
    assert [call.outcome for call in again] == [ALLOWED]
    assert [call.outcome for call in gone] == ["UNKNOWN_KEY", ALLOWED]
    print(watch.tally.table())
