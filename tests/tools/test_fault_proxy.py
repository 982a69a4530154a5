"""The fault proxy passes a provider's documents on, leads keys through itself, and fails as it is told to."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from keyring import key_pair
from tools.fault_proxy import BOTH, DISCOVERY, FaultProxy
from tools.faults import Fault
from tools.key_server import DISCOVERY_PATH, KEYS_PATH, KeyServer

TESTS = Path(__file__).resolve().parents[1]
PAIR = key_pair("P-256", "good")


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url)


async def test_documents_are_passed_on_and_keys_lead_through_the_proxy() -> None:
    async with KeyServer() as provider, FaultProxy(provider.origin) as proxy:
        provider.describe()
        provider.publish(PAIR.jwk())
        metadata = (await get(proxy.origin + DISCOVERY_PATH)).json()
        keys = (await get(metadata["jwks_uri"])).json()

        assert metadata == {"issuer": provider.origin, "jwks_uri": proxy.origin + KEYS_PATH}
        assert keys == {"keys": [PAIR.jwk()]}
        assert [each.path for each in proxy.served] == [DISCOVERY_PATH, KEYS_PATH]
        assert (await get(proxy.origin + "/elsewhere")).status_code == 404


async def test_what_fails_is_what_was_told_to_and_until_it_is_told_otherwise() -> None:
    async with KeyServer() as provider, FaultProxy(provider.origin) as proxy:
        provider.describe()
        discovery, keys = proxy.origin + DISCOVERY_PATH, proxy.origin + KEYS_PATH
        await proxy.fail(Fault.OTHER_ISSUER, DISCOVERY)
        assert (await get(discovery)).json()["issuer"] == "https://other.example"
        assert (await get(keys)).status_code == 200

        await proxy.fail(Fault.STATUS_429, BOTH)
        assert [(await get(url)).status_code for url in (discovery, keys)] == [429, 429]

        await proxy.fail(Fault.DOWN)
        with pytest.raises(httpx.ConnectError):
            await get(keys)

        await proxy.fail(None, BOTH)
        assert [(await get(url)).status_code for url in (discovery, keys)] == [200, 200]


async def test_a_provider_that_flaps_answers_every_other_time() -> None:
    async with KeyServer() as server:
        await server.fail(Fault.FLAPPING)
        assert [(await get(server.keys_url)).status_code for _ in range(4)] == [500, 200, 500, 200]


async def test_it_runs_by_hand_and_follows_its_plan() -> None:
    async with KeyServer() as provider:
        program = (sys.executable, "-m", "tools.fault_proxy", "--upstream", provider.origin)
        process = await asyncio.create_subprocess_exec(
            *program, "--plan", "500:2,good:0.1", stdout=subprocess.PIPE, cwd=TESTS, env=os.environ
        )
        assert process.stdout is not None
        where = (await process.stdout.readline()).decode().split()[-1]
        step = (await process.stdout.readline()).decode()
        answer = await get(where + KEYS_PATH)
        rest, _ = await process.communicate()

    assert (step, answer.status_code) == ("keys: 500 for 2 s\n", 500)
    assert (rest.decode(), process.returncode) == ("keys: good for 0.1 s\n", 0)


async def test_it_is_steered_by_lines_and_tells_what_it_does_not_understand() -> None:
    async with KeyServer() as provider:
        program = (sys.executable, "-m", "tools.fault_proxy", "--upstream", provider.origin)
        process = await asyncio.create_subprocess_exec(
            *program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=TESTS, env=os.environ
        )
        assert process.stdout is not None
        assert process.stdin is not None
        where = (await process.stdout.readline()).decode().split()[-1]
        told = []
        try:
            for line in ("404 keys", "nonsense", "good"):
                process.stdin.write(f"{line}\n".encode())
                told.append((await process.stdout.readline()).decode().split(":")[0])
                told.append(str((await get(where + KEYS_PATH)).status_code))
        finally:
            process.terminate()
            await process.communicate()

    assert told == ["keys", "404", "not understood", "404", "both", "200"]


def test_its_help_lists_every_fault() -> None:
    command = [sys.executable, "-m", "tools.fault_proxy", "--help"]
    said = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=60).stdout
    said = " ".join(said.split())

    assert [fault for fault in Fault if fault not in said] == []
