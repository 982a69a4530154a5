"""`usherd directory`, as people and scripts use it, with a real server."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands import environment
from tools.caller_world import CREDENTIAL, rule
from tools.memory_store import MemoryStore
from tools.rpc_world import running
from usherd.callers import rpc_names
from usherd.changes import RowKind
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.rows import Names
from usherd.store import Filter

COMPANY = """\
organizations: [{id: acme, models: ["gpt-*"], max_budget: 12.5, budget_period: 30d}]
teams:
  - {id: red, issuer: idp, organization: acme, models: ["*"], members: [{user: ann, role: admin, max_budget: 3}]}
users:
  - {id: ann, identities: [{issuer: idp, subject: s1}], teams: [red], organizations: [{id: acme, role: org_admin}]}
  - {id: bob, tpm: 0, models: []}
end_users: [{id: c, blocked: true}]
"""


@dataclass
class Done:
    code: int
    out: str
    err: str


class Shop:
    """A server, its store, and the command line beside it."""

    def __init__(self, address: str, store: MemoryStore) -> None:
        self.address = address
        self.store = store

    async def run(self, *arguments: str, typed: str = "", **env: str) -> Done:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "usherd", "directory", *arguments),
            env=environment({"USHERD_SERVER": self.address, **env}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate(typed.encode())
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    store = MemoryStore()
    kept = KeptDirectory(store=store, names=lambda: Names(("idp",)))
    async with running(directory=kept, begins=Admission(Terms(may_manage=True)).begins) as server:
        yield Shop(server.address, store)


async def test_a_file_is_applied_once_and_a_second_time_changes_nothing(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text(COMPANY)

    shown = await shop.run("apply", str(file), "--dry-run")
    assert await shop.store.head() == 0
    first = await shop.run("apply", str(file))
    head = await shop.store.head()
    second = await shop.run("apply", str(file))

    assert (shown.code, first.code, second.code) == (1, 0, 0)
    assert "+ team red\n" in shown.out
    assert "6 to create, 0 to update, 0 to delete, 0 as they should be" in first.out
    assert f"applied; the directory has it all since memory:{head}" in first.out
    assert "0 to create, 0 to update, 0 to delete, 6 as they should be" in second.out
    assert await shop.store.head() == head


async def test_an_export_is_what_was_applied(shop: Shop) -> None:
    await shop.run("apply", "-", typed=COMPANY)

    exported = await shop.run("export")
    again = await shop.run("apply", "-", "--prune", "--dry-run", "--json", typed=exported.out)

    assert exported.code == again.code == 0
    told = json.loads(again.out)
    assert (told["create"], told["update"], told["delete"], told["unchanged"]) == (0, 0, 0, 6)


async def test_what_is_not_in_the_file_goes_with_prune_alone_and_never_unasked(shop: Shop) -> None:
    await shop.run("apply", "-", typed=COMPANY)
    rest = "users: [{id: ann, identities: [{issuer: idp, subject: s1}], teams: [red], tpm: 5}]"
    alone = rest.replace("[red]", "[]")

    kept = await shop.run("apply", "-", "--json", typed=rest)
    unasked = await shop.run("apply", "-", "--prune", typed=alone)
    refused = await shop.run("apply", "-", "--prune", "--yes", "--json", typed=rest)
    gone = await shop.run("apply", "-", "--prune", "--yes", "--json", typed=alone)

    told = json.loads(kept.out)
    assert [(each["change"], each["id"]) for each in told["changes"]] == [("update", ["ann"])]
    assert "organizations" in told["changes"][0]["fields"]
    assert told["changes"][0]["fields"]["tpm"] == [None, 5]
    assert unasked.code == 2
    assert re.search(r"delete 5 rows at \S+:\d+\? expected --yes, as there is nobody to ask", unasked.err)
    assert refused.code == 2
    assert "user 'ann' names the team 'red'; expected it in the file" in refused.err
    assert json.loads(gone.out)["delete"] == 5
    assert [each.row for each in (await shop.store.page(RowKind.TEAM, Filter())).rows] == []


async def test_many_rows_are_applied_in_several_transactions(shop: Shop) -> None:
    rows = "\n".join(f"  - {{id: c-{number}}}" for number in range(2500))

    applied = await shop.run("apply", "-", typed=f"end_users:\n{rows}\n")

    assert applied.code == 0
    assert applied.out.endswith("since memory:5\n")
    assert len((await shop.store.page(RowKind.END_USER, Filter(), limit=5000)).rows) == 2500


async def test_what_the_server_refuses_is_told_and_nothing_is_made(shop: Shop) -> None:
    refused = await shop.run("apply", "-", typed="users: [{id: a, identities: [{issuer: nobody, subject: s}]}]")
    broken = await shop.run("apply", "-", typed="users: [{id: a, tmp: 1}]")
    nowhere = await shop.run("list", "team", "--server", "127.0.0.1:1", "--timeout", "1")

    assert (refused.code, broken.code, nowhere.code) == (2, 2, 2)
    assert "user.identities[0].issuer: expected a configured issuer" in refused.err
    assert "users[0].tmp" in broken.err
    assert "nobody answers at 127.0.0.1:1; expected a server there" in nowhere.err
    assert await shop.store.head() == 0


async def test_what_went_wrong_is_not_written_into_the_file_of_an_export(shop: Shop) -> None:
    nowhere = await shop.run("export", "--server", "127.0.0.1:1", "--timeout", "1")

    assert (nowhere.code, nowhere.out) == (2, "")
    assert "nobody answers at 127.0.0.1:1" in nowhere.err


async def test_rows_are_shown_and_blocked(shop: Shop) -> None:
    await shop.run("apply", "-", typed=COMPANY)

    blocked = await shop.run("block", "user", "ann")
    listed = await shop.run("list", "user", "--blocked", "--json")
    one = await shop.run("get", "membership", "red", "ann", "--json")
    free = await shop.run("unblock", "user", "ann", "--json")
    table = await shop.run("list", "team", "--organization", "acme")
    nobody = await shop.run("get", "user", "nobody")
    wrong = await shop.run("list", "model", "--blocked")

    assert blocked.out == "blocked since memory:2\n"
    assert [row["id"] for row in json.loads(listed.out)] == ["ann"]
    assert json.loads(one.out) == {
        "team": "red", "user": "ann", "role": "admin", "max_budget_micro_usd": 3_000_000, "etag": "1"
    }  # fmt: skip
    assert json.loads(free.out) == {"revision": "memory:3", "blocked": False}
    assert "red" in table.out
    assert (nobody.code, nobody.err) == (1, "usherd: there is no user of that id\n")
    assert wrong.code == 2


async def test_a_caller_shows_its_credential_and_may_no_more_than_its_rights() -> None:
    store = MemoryStore()
    fraud = rule("fraud", credential=CREDENTIAL, rpcs=rpc_names("DirectoryService/BlockUser"))
    kept, admission = KeptDirectory(store=store, names=lambda: Names(("idp",))), Admission(Terms([fraud]))
    async with running(directory=kept, begins=admission.begins) as server:
        shop = Shop(server.address, store)
        unknown = await shop.run("block", "user", "ann", "--json")
        absent = await shop.run("block", "user", "ann", "--json", USHERD_CREDENTIAL=CREDENTIAL)
        refused = await shop.run("unblock", "user", "ann", "--json", USHERD_CREDENTIAL=CREDENTIAL)

    faults = [json.loads(each.out)["fault"] for each in (unknown, absent, refused)]
    assert faults == ["CALLER_UNKNOWN", "NOT_FOUND", "CALLER_NOT_ALLOWED"]
    assert CREDENTIAL not in "".join(each.out + each.err for each in (unknown, absent, refused))
