"""`usherd import-litellm`, with a real PostgreSQL and a real server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import pytest

from commands import environment
from tools.directory_world import Client
from tools.litellm_database import LitellmDatabase
from tools.memory_store import MemoryStore
from tools.postgres import Postgres
from tools.rpc_world import calling, running
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.rows import Names


class World(NamedTuple):
    """A LiteLLM database, and a server that keeps a directory."""

    litellm: LitellmDatabase
    url: str
    server: str
    directory: Client


class Ran(NamedTuple):
    """A finished run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code in (0, 1), self.err
        return json.loads(self.out)


@pytest.fixture(name="postgres", scope="module")
def _postgres() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


@asynccontextmanager
async def _served() -> AsyncIterator[tuple[str, Client]]:
    kept = KeptDirectory(store=MemoryStore(), names=lambda: Names(("idp", "other")))
    begins = Admission(Terms(may_manage=True)).begins
    async with running(directory=kept, begins=begins) as server, calling(server) as channel:
        yield server.address, Client(channel)


@pytest.fixture(name="world")
async def _world(postgres: Postgres) -> AsyncIterator[World]:
    url = postgres.new_database()
    connection = await asyncpg.connect(url)
    litellm = LitellmDatabase(connection)
    await litellm.create()
    async with _served() as (address, directory):
        yield World(litellm, url, address, directory)
    await connection.close()


async def _run(world: World, *more: str, database: str = "env:LITELLM_URL") -> Ran:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "usherd", "import-litellm", "--database", database, "--server", world.server, *more),
        env=environment({"LITELLM_URL": world.url}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


async def _company(litellm: LitellmDatabase) -> None:
    await litellm.add("BudgetTable", {"budget_id": "b", "max_budget": 100.0, "budget_duration": "1mo", "tpd_limit": 9})
    await litellm.add(
        "OrganizationTable", {"organization_id": "acme", "organization_alias": "Acme", "budget_id": "b", "models": []}
    )
    await litellm.add("ModelTable", {"id": 1, "aliases": {"fast": "gpt-4o-mini"}})
    members = [{"user_id": "ann", "role": "admin"}, {"user_id": "bob", "role": "user"}]
    await litellm.add(
        "TeamTable",
        {"team_id": "red", "models": ["gpt-4o"], "organization_id": "acme", "max_budget": 0.1, "model_id": 1,
         "members_with_roles": members, "blocked": False, "spend": 3.5},
        {"team_id": "a\nb", "models": ["gpt-4o"], "organization_id": None, "max_budget": None, "model_id": None,
         "members_with_roles": {}, "blocked": True, "spend": 0.0},
    )  # fmt: skip
    await litellm.add(
        "UserTable",
        {"user_id": "ann", "teams": ["red"], "sso_user_id": "s-ann", "user_role": "proxy_admin", "models": []},
        {"user_id": "bob", "teams": ["red"], "sso_user_id": None, "user_role": "internal_user", "models": ["o3"]},
    )
    await litellm.add("TeamMembership", {"user_id": "bob", "team_id": "red", "budget_id": "b"})
    await litellm.add("OrganizationMembership", {"user_id": "ann", "organization_id": "acme", "user_role": "org_admin"})
    await litellm.add("EndUserTable", {"user_id": "customer", "blocked": True})


async def test_people_come_over_and_a_second_run_changes_nothing(world: World) -> None:
    await _company(world.litellm)
    first = (await _run(world, "--issuer", "idp", "--subject", "both", "--json")).json
    assert {kind: count["created"] for kind, count in first["rows"].items()} == {
        "organization": 1,
        "team": 1,
        "user": 2,
        "membership": 2,
        "end user": 1,
    }
    team = (await world.directory("GetTeam", id="red")).team
    assert (team.issuer, team.organization_id, team.limit.max_budget_micro_usd) == ("idp", "acme", 100_000)
    assert [(each.name, each.model) for each in team.model_aliases] == [("fast", "gpt-4o-mini")]
    ann = (await world.directory("GetUser", id="ann")).user
    assert [(each.issuer, each.subject) for each in ann.identities] == [("idp", "ann"), ("idp", "s-ann")]
    assert [(each.organization_id, each.administers) for each in ann.organizations] == [("acme", True)]
    places = (await world.directory("ListMemberships", team_id="red")).memberships
    assert [(each.user_id, each.role, each.max_budget_micro_usd) for each in places] == [
        ("ann", "admin", 0),
        ("bob", "user", 100_000_000),
    ]
    assert (await world.directory("GetEndUser", id="customer")).end_user.blocked
    revision = (await world.directory("ListTeams")).revision
    second = (await _run(world, "--issuer", "idp", "--subject", "both", "--json")).json
    assert second["edits"] == {"planned": 0, "made": 0}
    assert (await world.directory("ListTeams")).revision == revision


async def test_what_did_not_come_over_is_listed_with_its_rows(world: World) -> None:
    await _company(world.litellm)
    await world.litellm.execute('ALTER TABLE "LiteLLM_TeamTable" ADD COLUMN curfew text')
    await world.litellm.execute('DROP TABLE "LiteLLM_OrganizationMembership"')
    found = (await _run(world, "--issuer", "idp", "--json")).json
    assert found["skipped"] == [
        {"kind": "team", "what": "its id is not 1 to 256 printable characters", "count": 1, "ids": ["a\nb"]}
    ]
    left = {(note["kind"], note["what"]): note["ids"] for note in found["left_out"]}
    assert left["organization", "tpd_limit of its budget"] == ["acme"]
    assert left["membership", "budget_duration of its budget"] == ["bob in red"]
    assert left["organization", "budget_duration: it counts months, which are 30 days here"] == ["acme"]
    assert found["have_spent"] == {"team": 1}
    assert found["absent_tables"] == ["LiteLLM_OrganizationMembership"]
    assert found["unknown_columns"] == ["LiteLLM_TeamTable.curfew"]
    shown = await _run(world, "--issuer", "idp")
    assert shown.code == 0
    for text in ("1 x team: its id is not", "a\\nb", "bob in red", "curfew", "begin anew (1 x team)"):
        assert text in shown.out
    assert "\x1b" not in shown.out


async def test_a_dry_run_writes_nothing(world: World) -> None:
    await _company(world.litellm)
    found = (await _run(world, "--dry-run", "--json")).json
    assert found["edits"] == {"planned": 7, "made": 0}
    assert not (await world.directory("ListTeams")).teams


async def test_a_change_there_is_a_change_here_and_a_block_here_stays(world: World) -> None:
    await _company(world.litellm)
    await _run(world, "--issuer", "idp")
    await world.directory("BlockTeam", id="red")
    await world.litellm.execute("""UPDATE "LiteLLM_TeamTable" SET models = '{o3}' WHERE team_id = 'red'""")
    found = (await _run(world, "--issuer", "idp", "--json")).json
    assert found["rows"]["team"]["updated"] == 1
    assert found["blocked_here_only"] == [{"kind": "team", "id": "red"}]
    team = (await world.directory("GetTeam", id="red")).team
    assert team.blocked
    assert list(team.models.only.models) == ["o3"]


async def test_a_row_that_the_directory_refuses_is_told_and_ends_with_1(world: World) -> None:
    await _company(world.litellm)
    taken = {"issuer": "idp", "subject": "bob"}
    await world.directory("CreateUser", user={"id": "robert", "identities": [taken]})
    ran = await _run(world, "--issuer", "idp", "--json")
    assert ran.code == 1
    assert {(note["kind"], note["what"]): note["ids"] for note in ran.json["skipped"] if note["kind"] != "team"} == {
        ("user", "the directory refuses it: another has its id or identity"): ["bob"],
        ("membership", "the directory refuses it: something else still names it, or it names something that does not"
         " exist"): ["bob in red"],
    }  # fmt: skip
    assert (await world.directory("GetUser", id="ann")).user.id == "ann"


async def test_an_issuer_that_the_server_does_not_know_ends_early(world: World) -> None:
    await world.litellm.execute(
        """INSERT INTO "LiteLLM_UserTable" (user_id) SELECT 'u' || n FROM generate_series(1, 300) n"""
    )
    ran = await _run(world, "--issuer", "nobody", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["complete"] is False
    assert not (await world.directory("ListUsers")).users


async def test_who_left_a_team_there_leaves_it_here(world: World) -> None:
    await _company(world.litellm)
    await _run(world, "--issuer", "idp")
    await world.directory("CreateUser", user={"id": "zoe"})
    await world.directory("CreateMembership", membership={"team_id": "red", "user_id": "zoe"})
    await world.litellm.execute(
        """UPDATE "LiteLLM_UserTable" SET teams = '{}' WHERE user_id = 'bob';
        UPDATE "LiteLLM_TeamTable" SET members_with_roles = '[{"user_id": "ann", "role": "admin"}]'
        WHERE team_id = 'red'"""
    )
    found = (await _run(world, "--issuer", "idp", "--json")).json
    assert found["rows"]["membership"] == {"created": 0, "updated": 0, "unchanged": 1, "deleted": 1, "only_here": 1}
    places = (await world.directory("ListMemberships", team_id="red")).memberships
    assert [each.user_id for each in places] == ["ann", "zoe"]


async def test_ten_thousand_rows_come_over(world: World) -> None:
    await world.litellm.execute(
        """INSERT INTO "LiteLLM_TeamTable" (team_id, models) SELECT 't' || n, '{gpt-4o}' FROM generate_series(1, 500) n;
        INSERT INTO "LiteLLM_EndUserTable" (user_id, blocked) SELECT 'u' || n, n % 2 = 0
        FROM generate_series(1, 9500) n"""
    )
    found = (await _run(world, "--issuer", "idp", "--json")).json
    assert {kind: count["created"] for kind, count in found["rows"].items() if count["created"]} == {
        "team": 500,
        "end user": 9500,
    }
    again = (await _run(world, "--issuer", "idp", "--json")).json
    assert again["edits"] == {"planned": 0, "made": 0}


@pytest.mark.parametrize(
    ("more", "database", "told"),
    [
        ((), "env:NOT_SET", "--database: the environment variable NOT_SET is not set"),
        ((), "sqlite:///x.db", "--database: expected postgresql://"),
        (
            (),
            "postgresql://u:hunter2@127.0.0.1:1/x",
            "--database: it cannot be read: ConnectionRefusedError (errno 111)",
        ),
        (("--subject", "both"), "env:LITELLM_URL", "expected --issuer"),
        (("--empty-models", "some"), "env:LITELLM_URL", "'some' is not one of 'nothing', 'all'"),
        (("--server", "127.0.0.1:1"), "env:LITELLM_URL", "nobody answers at 127.0.0.1:1"),
    ],
)
async def test_what_cannot_be_done_is_told_in_one_line(
    world: World, more: tuple[str, ...], database: str, told: str
) -> None:
    ran = await _run(world, *more, database=database)
    assert ran.code == 2
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert "hunter2" not in ran.err + ran.out
    assert ("password" in ran.err) == ("hunter2" in database)


async def test_a_server_without_a_directory_says_so(postgres: Postgres) -> None:
    connection = await asyncpg.connect(url := postgres.new_database())
    await LitellmDatabase(connection).create()
    await connection.close()
    begins = Admission(Terms(may_manage=True)).begins
    async with running(directory=KeptDirectory(), begins=begins) as server, calling(server) as channel:
        ran = await _run(World(LitellmDatabase(connection), url, server.address, Client(channel)))
    assert ran.code == 2
    assert "keeps no directory of its own" in ran.err
