"""usherd beside a real OpenID provider: discovery, tokens of machines and people, rotation, outages."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from oracle.daemon import ALWAYS, DEADLINE, NEVER, until
from oracle.judge import ALLOWED, NO_KEYS
from oracle.timeline import SLACK, Rules
from oracle.watch import watching
from peers.openid import BRIEF, MACHINE, OpenIdProvider
from peers.realm import Realm, contents
from tools.fault_proxy import DISCOVERY, FaultProxy
from tools.faults import Fault

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

RULES = Rules(every=10, stale_for=4, removed_grace=8, cooldown=1, timeout=2)
ROLES = {"service": {"client_id": [MACHINE, BRIEF]}, "user": {"groups": "red"}}
RATE = 100
FAULTS = (Fault.STATUS_500, Fault.HTML, Fault.HANG, Fault.CUT_OFF_JSON, Fault.EMPTY_SET, Fault.FLAPPING)


@asynccontextmanager
async def realm(folder: Path) -> AsyncIterator[tuple[OpenIdProvider, Realm]]:
    async with OpenIdProvider.started(folder) as provider, FaultProxy(provider.origin) as proxy:
        made = Realm("real", provider.origin, proxy, RULES, deadline=DEADLINE, keys_path="/jwks", roles=ROLES)
        made.back(provider.kids)
        await hold(provider, made)
        yield provider, made


async def hold(provider: OpenIdProvider, realm: Realm) -> None:
    """New tokens of all kinds."""
    realm.hold(
        machine=await provider.machine_token(),
        person=await provider.person_token("alice"),
        brief=await provider.machine_token(BRIEF),
    )


async def rotate(provider: OpenIdProvider, realm: Realm, *, keep: int = 1) -> None:
    realm.away()
    await provider.rotate(keep)
    realm.back(provider.kids)
    await hold(provider, realm)


async def test_what_it_publishes_and_signs_is_understood_without_a_proxy(tmp_path: Path) -> None:
    async with realm(tmp_path) as (provider, made):
        # As an operator would write it: `discovery: true`, and the provider asked itself.
        made.directly = True
        async with watching(tmp_path, [made]) as watch:
            person = made.token(await provider.person_token("alice"), "person")
            machine = made.token(await provider.machine_token(), "machine")
            identity = made.token(await provider.identity_token("alice"), "identity token")
            calls = await watch.callers.unjudged(
                [(person, ALWAYS), (machine, ALWAYS), (person, NEVER), (identity, ALWAYS)]
            )

    assert [call.outcome for call in calls] == [ALLOWED, ALLOWED, "MODEL_NOT_GRANTED", "AUDIENCE_MISMATCH"]
    assert contents(person.text)[1]["sub"] == "alice"
    assert contents(machine.text)[0]["typ"] == "at+jwt"


async def test_every_answer_is_right_while_it_rotates_fails_and_is_away(tmp_path: Path) -> None:
    async with realm(tmp_path) as (provider, made), watching(tmp_path, [made]) as watch, watch.flowing(RATE):
        for number, fault in enumerate(FAULTS):
            await made.fail(fault)
            await asyncio.sleep(2)
            await made.fail(None)
            if number % 2:
                await rotate(provider, made)
                await watch.daemon.reload()
            await asyncio.sleep(1)
        await made.fail(Fault.OTHER_ISSUER, DISCOVERY)
        await watch.daemon.reload()
        await made.fail(None, DISCOVERY)

        # Away for longer than the keys serve without it.
        made.away()
        await provider.stop()
        known = made.of_kind("machine")
        last = made.server.served[-1].asked
        within = await watch.callers.once([(known, ALWAYS)])
        await asyncio.sleep(max(0.0, last + RULES.stale_after + 0.5 - time.monotonic()))
        beyond = await watch.callers.once([(known, ALWAYS)])
        await provider.restart()
        made.back(provider.kids)
        back = time.monotonic()
        await until(lambda: made.server.served[-1].asked > back, RULES.every + 2)
        await asyncio.sleep(SLACK)
        again = await watch.callers.once([(known, ALWAYS)])
        # Rotated at once, without any overlap: the old key goes when its grace is over.
        await rotate(provider, made, keep=0)
        await asyncio.sleep(RULES.every + RULES.removed_grace)
        gone = await watch.callers.once([(known, ALWAYS), (made.of_kind("machine"), ALWAYS)])

    assert watch.tally.examples == []
    assert [call.outcome for call in (*within, *beyond, *again)] == [ALLOWED, NO_KEYS, ALLOWED]
    assert [call.outcome for call in gone] == ["UNKNOWN_KEY", ALLOWED]
    assert set(watch.tally.calls) == {"none", Fault.OTHER_ISSUER, *FAULTS}
    print(watch.tally.table())


async def test_its_documents_are_what_this_test_takes_them_for(tmp_path: Path) -> None:
    async with realm(tmp_path) as (provider, made), httpx.AsyncClient(trust_env=False) as client:
        metadata = (await client.get(made.server.origin + made.discovery_path)).json()
        keys = (await client.get(metadata["jwks_uri"])).json()["keys"]

    assert metadata["issuer"] == provider.origin
    assert metadata["jwks_uri"] == made.server.origin + "/jwks"
    assert [key["kid"] for key in keys] == provider.kids
    assert json.dumps(keys).count('"d"') == 0
