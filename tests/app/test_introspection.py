"""Tokens that an issuer is asked about, in a real server over gRPC; and what two servers share through a Valkey."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import server_beside
from keyring import key_pair
from tools.faults import Fault
from tools.introspection_server import PATH, IntrospectionServer
from tools.key_server import KeyServer
from tools.log_lines import log_events
from tools.valkey import Valkey
from usherd.domain import Decision, DependencyKind, Question
from usherd.errors import FaultReason, Unavailable
from usherd.reasons import Reason
from usherd.rpc.dial import Client, dial

ROUTE = "/v1/chat/completions"
MODEL = "gpt-4o"
PATIENCE = 60.0
SECRET = "s3cret: canary"
TOKEN = "canary-opaque-1"
PAIR = key_pair("Ed25519", "k1")
ENVIRONMENT = {"USHERD_TEST_SECRET": SECRET, "USHERD_TEST_SHARED": "canary of what replicas share " * 2}


@dataclass
class Server:
    """A server that runs."""

    folder: Path
    client: Client
    process: asyncio.subprocess.Process

    async def answer(self, token: str) -> Decision:
        return await self.client.check(Question(token=token, route=ROUTE, model=MODEL), timeout=10.0)

    async def reason(self, token: str) -> str:
        """The name of the reason, or of the fault's."""
        try:
            return (await self.answer(token)).verdict.reason.name
        except Unavailable as fault:
            return fault.reason.name

    def events(self) -> list[dict[str, Any]]:
        return log_events(self.folder / "server.log")

    async def wait_for(self, name: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                if found := [event for event in self.events() if event["event"] == name]:
                    return found[-1]
                await asyncio.sleep(0.05)

    async def becomes(self, token: str, reason: Reason) -> Decision:
        """The first answer with that reason."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if await self.reason(token) == reason.name:
                    return await self.answer(token)
                await asyncio.sleep(0.05)


def configure(folder: Path, idp: IntrospectionServer, keys: str | None = None, **changes: Any) -> None:
    """Writes a configuration: one issuer that is asked, and one that has keys."""
    asked = {
        "url": idp.url,
        "client_id": "usherd",
        "client_secret": "env:USHERD_TEST_SECRET",
        "opaque": True,
        "cache_for": "1s",
        "cache_inactive_for": "0s",
        # A busy machine must not look like a slow issuer.
        "timeout": "9s",
    }
    source = {"jwks": {"keys": [PAIR.jwk()]}} if keys is None else {"jwks_url": keys}
    common: dict[str, Any] = {"audiences": ["gateway"]}
    config = {
        "issuers": [
            {"name": "asked", "issuer": "https://asked.example", **common}
            | {"keys": {"introspection": asked | changes.pop("asked", {})}},
            {"name": "keyed", "issuer": "https://keyed.example", **common, "keys": source},
        ],
        "roles": [
            {"name": name, "issuer": name, "when": {"scope": "chat"}, "grants": {"routes": [ROUTE], "models": [MODEL]}}
            for name in ("asked", "keyed")
        ],
        "insecure": {"loopback_http": True},
        "telemetry": {"log": "json"},
        "server": {"address": "127.0.0.1:0", "limits": {"deadline": "10s"}},
    }
    folder.mkdir(exist_ok=True)
    (folder / "usherd.yaml").write_text(json.dumps(config | changes))


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"aud": "gateway", "sub": "canary", "scope": "chat", "iat": now, "exp": now + 600} | changes


def jwt(**changes: Any) -> str:
    return PAIR.token(claims(iss="https://keyed.example") | changes)


@asynccontextmanager
async def serving(folder: Path, **environment: str) -> AsyncIterator[Server]:
    """`usherd serve` with the configuration in that folder."""
    async with (
        server_beside(folder / "usherd.yaml", env=ENVIRONMENT | environment) as (process, address),
        dial(address) as client,
    ):
        yield Server(folder, client, process)


@pytest.fixture(name="idp")
async def _idp() -> AsyncIterator[IntrospectionServer]:
    async with IntrospectionServer(client_secret=SECRET) as idp:
        yield idp


async def test_an_opaque_token_is_worth_what_its_issuer_says_for_as_long_as_that_counts(
    tmp_path: Path, idp: IntrospectionServer
) -> None:
    idp.issue(TOKEN, **claims())
    configure(tmp_path, idp, asked={"cache_for": "3s"})
    async with serving(tmp_path) as server:
        began = time.time()
        allowed = await server.answer(TOKEN)
        again = await server.answer(TOKEN)
        asked = len(idp.asked)
        idp.revoke(TOKEN)
        later = await server.becomes(TOKEN, Reason.TOKEN_INACTIVE)

    assert allowed.verdict.reason is Reason.ALLOWED
    assert [each.kind for each in allowed.verdict.depends_on] == [
        DependencyKind.TOKEN,
        DependencyKind.ISSUER,
        DependencyKind.POLICY,
        *(each.kind for each in allowed.verdict.depends_on[3:]),
    ]
    assert DependencyKind.KEY not in {each.kind for each in allowed.verdict.depends_on}
    assert allowed.cacheable
    assert began < allowed.valid_until <= again.valid_until + 0.001 <= time.time() + 3.0
    assert asked == 1
    assert later.verdict.reason is Reason.TOKEN_INACTIVE


async def test_an_endpoint_that_is_down_is_a_fault_of_its_own_tokens_and_soon_a_quick_one(
    tmp_path: Path, idp: IntrospectionServer
) -> None:
    configure(tmp_path, idp, asked={"timeout": "1s"})
    async with serving(tmp_path) as server:
        await idp.fail(Fault.HANG, PATH)
        slow = [await server.reason(f"{TOKEN}-{number}") for number in range(3)]
        before = len(idp.asked)
        quick = [await server.reason(f"{TOKEN}-{number}") for number in range(3)]
        asked = len(idp.asked) - before
        meanwhile = await server.reason(jwt())
        await idp.fail(None, PATH)
        idp.issue(TOKEN, **claims())
        await server.becomes(TOKEN, Reason.ALLOWED)
        failed = await server.wait_for("introspection_failed")
        await server.wait_for("introspection_works_again")

    assert slow + quick == [FaultReason.INTROSPECTION_UNAVAILABLE.name] * 6
    # On a slow machine its first pause may be over meanwhile: then one question tries it again.
    assert before == 3
    assert asked <= 1
    assert meanwhile == "ALLOWED"
    assert (failed["issuer"], failed["cause"]) == ("asked", "timeout")


async def test_credentials_that_are_refused_are_no_denial(tmp_path: Path, idp: IntrospectionServer) -> None:
    configure(tmp_path, idp)
    await idp.fail(Fault.STATUS_401, PATH)
    async with serving(tmp_path) as server:
        assert await server.reason(TOKEN) == "INTROSPECTION_UNAVAILABLE"
        assert (await server.wait_for("introspection_failed"))["cause"] == "credentials_refused"


async def test_what_was_said_under_other_settings_does_not_count_after_a_reload(
    tmp_path: Path, idp: IntrospectionServer
) -> None:
    idp.issue(TOKEN, **claims())
    configure(tmp_path, idp, asked={"cache_for": "5m"})
    async with serving(tmp_path) as server:
        assert await server.reason(TOKEN) == "ALLOWED"
        idp.revoke(TOKEN)
        assert await server.reason(TOKEN) == "ALLOWED"
        configure(tmp_path, idp, asked={"cache_for": "4m"})
        server.process.send_signal(signal.SIGHUP)
        await server.wait_for("reloaded")
        assert await server.reason(TOKEN) == "TOKEN_INACTIVE"


async def test_neither_token_nor_secret_nor_claim_is_in_the_log(tmp_path: Path, idp: IntrospectionServer) -> None:
    idp.issue(TOKEN, **claims())
    async with Valkey(password="canary") as valkey:
        shared = {"identity_provider": "env:USHERD_TEST_CACHE", "identity_provider_key": "env:USHERD_TEST_SHARED"}
        configure(tmp_path, idp, cache=shared, telemetry={"log": "json", "level": "debug"})
        async with serving(tmp_path, USHERD_TEST_CACHE=valkey.url) as server:
            assert await server.reason(TOKEN) == "ALLOWED"
            assert await server.reason("canary-other") == "TOKEN_INACTIVE"
            await valkey.kill()
            for fault in (Fault.HTML, Fault.CUT_OFF, Fault.STATUS_500, Fault.RESET, Fault.STATUS_401):
                await idp.fail(fault, PATH)
                assert await server.reason(f"canary-{fault.value}") == "INTROSPECTION_UNAVAILABLE"
            await idp.fail(Fault.DOWN, PATH)
            assert await server.reason("canary-down") == "INTROSPECTION_UNAVAILABLE"

    text = (tmp_path / "server.log").read_text()
    assert "introspection_failed" in text
    assert text.count("shared_cache_failed") == 1
    assert "canary" not in text.replace(str(tmp_path), "")


async def test_without_an_issuer_that_takes_them_opaque_tokens_are_malformed(
    tmp_path: Path, idp: IntrospectionServer
) -> None:
    configure(tmp_path, idp)
    text = json.loads((tmp_path / "usherd.yaml").read_text())
    del text["issuers"][0]["keys"]["introspection"]["opaque"]
    (tmp_path / "usherd.yaml").write_text(json.dumps(text))
    named = PAIR.token({"iss": "https://asked.example"})
    idp.issue(named, **claims())
    async with serving(tmp_path) as server:
        assert [await server.reason(token) for token in (TOKEN, named)] == ["TOKEN_MALFORMED", "ALLOWED"]
    assert idp.asked == [named]


async def test_two_servers_ask_once_and_one_starts_while_the_provider_is_down(
    tmp_path: Path, idp: IntrospectionServer
) -> None:
    idp.issue(TOKEN, **claims())
    async with KeyServer() as provider, Valkey() as valkey:
        provider.publish(PAIR.jwk())
        shared = {"identity_provider": valkey.url, "identity_provider_key": "env:USHERD_TEST_SHARED"}
        for name in ("one", "other"):
            configure(tmp_path / name, idp, provider.keys_url, cache=shared, asked={"cache_for": "5m"})
        async with serving(tmp_path / "one") as one:
            first = [await one.reason(TOKEN), await one.reason(jwt())]
            await provider.fail(Fault.DOWN)
            await idp.fail(Fault.DOWN, PATH)
            async with serving(tmp_path / "other") as other:
                second = [await other.reason(TOKEN), await other.reason(jwt())]
                await valkey.kill()
                without = [await other.reason(TOKEN), await one.reason(TOKEN), await other.reason(jwt(sub="bob"))]
                unknown = await other.reason("unheard-of")

    assert first == second == ["ALLOWED", "ALLOWED"]
    assert without == ["ALLOWED"] * 3
    assert unknown == "INTROSPECTION_UNAVAILABLE"
    assert (len(idp.asked), provider.count()) == (1, 1)
