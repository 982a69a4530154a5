"""`usherd revoke` and `usherd revocations` do over gRPC what they say, and show no token to anybody."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import keyring
from commands import usherd
from tools.revocation_world import PAIR, Revoking, revoking

Run = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]
ID = "0123456789abcdef" * 2


@pytest.fixture(name="world")
async def _world() -> AsyncIterator[Revoking]:
    async with revoking() as world:
        yield world


@pytest.fixture(name="run")
def _run(world: Revoking) -> Run:
    async def run(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(usherd, *arguments, typed=typed, env={"USHERD_SERVER": world.address})

    return run


async def test_a_token_from_standard_input_or_a_file_is_revoked_and_not_shown(run: Run, tmp_path: Path) -> None:
    for number in range(2):
        token = PAIR.token(keyring.claims(jti=f"canary-{number}"))
        (tmp_path / "token").write_text(token + "\n")
        by = ("-", token) if number else (f"@{tmp_path / 'token'}", "")

        done = await run("revoke", by[0], "--note", "leaked", typed=by[1])

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("REVOKED  ")
        assert done.stdout.rstrip().endswith("leaked")
        assert not [part for part in (*token.split("."), "canary") if part in done.stdout]


async def test_a_token_in_the_arguments_is_refused_and_not_shown(run: Run, world: Revoking) -> None:
    token = PAIR.token()

    done = await run("revoke", token)

    assert done.returncode == 2
    assert "expected - or @FILE" in done.stderr
    assert token not in done.stderr
    assert await world.ids() == []


async def test_what_is_revoked_by_its_words_is_listed_and_lifted(run: Run) -> None:
    made = [
        await run("revoke", "--issuer", "idp", "--subject", "alice", "--before", "2026-05-01T08:00:00Z", "--json"),
        await run("revoke", "--issuer", "idp", "--jti", "7f9c"),
        await run("revoke", "--issuer", "session"),
        await run("revoke", "--token-id", ID, "--keep", "30d"),
    ]
    assert [each.returncode for each in made] == [0, 0, 0, 0]
    first = json.loads(made[0].stdout)
    assert first["revocation"]["issued_before"] == "2026-05-01T08:00:00Z"

    listed = await run("revocations", "list", "--json")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert len(rows) == 4
    assert first["revocation"] in rows
    shown = (await run("revocations", "list", "--issuer", "idp", "--subject", "alice")).stdout
    assert shown.startswith(f"{first['revocation']['id']}  issuer idp, subject alice, issued before 2026-05-01")

    lifted = await run("revocations", "lift", first["revocation"]["id"])
    again = await run("revocations", "lift", first["revocation"]["id"])
    assert (lifted.returncode, lifted.stdout) == (0, f"LIFTED  {first['revocation']['id']}\n")
    assert again.returncode == 1
    assert "NOT_FOUND" in again.stderr
    none = await run("revocations", "list", "--subject", "alice")
    assert (none.returncode, none.stdout) == (0, "nothing of that kind is revoked\n")


async def test_what_is_sent_again_with_its_request_id_is_the_same_request(run: Run, world: Revoking) -> None:
    words = ("revoke", "--issuer", "idp", "--subject", "a", "--request-id", "r1", "--json")
    moments = ("--before", "2026-05-01T08:00:00Z", "--keep", "2099-05-01T08:00:00Z")
    done = [await run(*words, *moments) for _ in range(2)]

    assert [each.returncode for each in done] == [0, 0]
    assert done[0].stdout == done[1].stdout
    assert json.loads(done[0].stdout)["revocation"]["until"] == "2099-05-01T08:00:00Z"
    assert len(await world.ids()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "expected TOKEN, or --token-id, or --issuer"),
        (("-", "--issuer", "idp"), "expected TOKEN, or --token-id, or --issuer"),
        (("--jti", "7"), "expected --issuer with --jti"),
        (("--issuer", "idp", "--jti", "7", "--subject", "a"), "expected one of --token-id, --jti and --subject"),
        (("--issuer", "idp", "--token-id", ID), "expected one of --token-id, --jti and --subject"),
        (("--issuer", "idp", "--jti", "7", "--before", "1h"), "--before: one token is meant"),
        (("--issuer", "idp", "--before", "2026-05-01T08:00:00"), "--before: expected a moment with its zone"),
        (("--issuer", "idp", "--before", "soon"), "--before: is no duration"),
        (("--issuer", "idp", "--keep", "long"), "--keep: is no duration"),
        (("--issuer", "idp", "--keep", "30d", "--request-id", "r"), "--keep: counts from now; expected a moment"),
        (("--issuer", "idp", "--before", "10m", "--request-id", "r"), "--before: counts from now; expected a moment"),
        (("--issuer", "idp", "--subject", ""), "--subject: is empty"),
        (("--issuer", "idp", "--jti", ""), "--jti: is empty"),
        (("--issuer", "idp", "--before", ""), "--before: is empty"),
        (("--issuer", "idp", "--token-id", ""), "--token-id: is empty"),
        (("--issuer", "idp", "--keep", ""), "--keep: is empty"),
        (("--issuer", "unknown"), "tokens.issuer: expected the name of a configured issuer"),
        (("-",), "token: expected one that is genuine now"),
    ],
)
async def test_what_cannot_be_revoked_is_exit_code_2_and_says_what_was_expected(
    run: Run, world: Revoking, arguments: tuple[str, ...], told: str
) -> None:
    done = await run("revoke", *arguments, typed="no token")

    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""
    assert await world.ids() == []


def test_nobody_there_is_exit_code_2_and_says_so() -> None:
    for command in (("revoke", "--issuer", "idp"), ("revocations", "list"), ("revocations", "lift", ID)):
        done = usherd(*command, "--server", "127.0.0.1:1", "--timeout", "1")
        assert done.returncode == 2
        assert done.stderr.startswith("usherd: nobody answers at 127.0.0.1:1; expected a server there")
    told = usherd("revocations", "list", "--server", "127.0.0.1:1", "--timeout", "1", "--json")
    assert json.loads(told.stdout)["code"] == "UNAVAILABLE"
