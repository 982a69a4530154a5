"""Daemons that share a database: what one revokes every other refuses, at once and whatever happens after that."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from commands import company, server_beside
from tools.postgres import Postgres
from usherd.cli.dev_people import PEOPLE, token_of
from usherd.domain import Question
from usherd.reasons import Reason
from usherd.revocation_store import Wanted
from usherd.rpc.dial import dial
from usherd.rpc.revocation import dial as revoking

CHAT = "/v1/chat/completions"
SOON = 5.0
"""Seconds within which another daemon has heard, on a machine that is busy with tests."""


@pytest.fixture(name="url", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def _url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/directory.db"
        return
    with Postgres() as postgres:
        yield postgres.new_database()


def configured(config: Path, url: str, name: str) -> Path:
    """The same configuration in a folder of its own, with that database."""
    folder = config.parent / name
    folder.mkdir()
    (folder / "directory.yaml").write_text((config.parent / "directory.yaml").read_text())
    made = folder / "usherd.yaml"
    made.write_text(config.read_text().replace("seed: directory.yaml", f"seed: directory.yaml, url: '{url}'"))
    return made


async def reason(address: str, token: str) -> Reason:
    async with dial(address) as client:
        return (await client.check(Question(token, CHAT, "POST", "gpt-4o"), timeout=10)).verdict.reason


async def soon(address: str, token: str, wanted: Reason) -> float:
    """After how many seconds the daemon says that of the token."""
    begun = time.monotonic()
    async with dial(address) as client:
        while True:
            said = (await client.check(Question(token, CHAT, "POST", "gpt-4o"), timeout=10)).verdict.reason
            if said is wanted:
                return time.monotonic() - begun
            assert time.monotonic() - begun < SOON, said
            await asyncio.sleep(0.01)


def logged(log: Path, event: str) -> bool:
    """Whether that is in the log, after a while at most."""
    until = time.monotonic() + 20
    while event not in log.read_text():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


async def test_what_one_daemon_revokes_another_refuses_until_it_is_lifted_also_after_reloads_and_restarts(
    url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as life:
        signer, config = life.enter_context(company(tmp_path))
        alice, mallory = (token_of(PEOPLE[name], signer) for name in ("alice", "mallory"))
        one, other = (configured(config, url, name) for name in ("one", "other"))
        log = other.parent / "server.log"
        _, here = await life.enter_async_context(server_beside(one))
        async with server_beside(other) as (process, there):
            assert [await reason(address, alice) for address in (here, there)] == [Reason.ALLOWED] * 2
            async with revoking.dial(here) as client:
                row, revision = await client.revoke(revoking.ToRevoke(token=alice, note="canary-of-a-note"))
            assert row is not None
            assert revision
            assert await reason(here, alice) is Reason.TOKEN_REVOKED
            await soon(there, alice, Reason.TOKEN_REVOKED)
            assert [await reason(address, mallory) for address in (here, there)] == [Reason.NOT_ENTITLED] * 2

            # The issuer's digest is another then, and its tokens have the ids that they had.
            other.write_text(other.read_text() + "token: {max_lifetime: 20h}\n")
            process.send_signal(signal.SIGHUP)
            assert await asyncio.to_thread(logged, log, "reloaded")
            assert await reason(there, alice) is Reason.TOKEN_REVOKED
        logs = log.read_text()
        async with server_beside(other) as (_, again):
            assert await reason(again, alice) is Reason.TOKEN_REVOKED
            async with revoking.dial(again) as client:
                assert [each async for each in client.each(Wanted())] == [row]
                await client.lift(row.id)
            await soon(again, alice, Reason.ALLOWED)
            await soon(here, alice, Reason.ALLOWED)
        logs += log.read_text() + (one.parent / "server.log").read_text()
    assert not [part for part in (*alice.split("."), "canary") if part in logs]
    assert "tokens_revoked" in logs
