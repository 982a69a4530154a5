"""A real usherd with a directory that is kept: teams that are blocked, and tokens that are revoked, while it answers.

with company_daemon(folder) as usherd:
    usherd.target                      where it listens
    usherd.token()                     of a member of the team red, who may use gpt-4o and a realtime model
    usherd.token(groups=["broke"])     of a team whose budget is spent
    usherd.token(iss=FAR)              of an issuer whose keys are out of reach
    await usherd.block("red")          returns when it is committed
    await usherd.revoke(token)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

from commands import server
from tools import revocation_world
from tools.changing import Daemon
from tools.directory_world import Client
from usherd.rpc.dial import connected

MODEL = "gpt-4o"
REALTIME = "gpt-realtime"
FAR = "https://far.example"
PUBLIC = "/open"
SERVICE_ROUTES = "/demo.v1.Chat/*"


class CompanyDaemon:
    """One that runs."""

    def __init__(self, daemon: Daemon, process: Popen[str], target: str) -> None:
        self._daemon = daemon
        self.process = process
        self.target = target

    def token(self, **claims: Any) -> str:
        """A token of a member of the team red, its claims changed."""
        return self._daemon.token(**claims)

    async def block(self, team: str) -> None:
        """Blocks that team."""
        async with connected(self.target) as connection:
            await Client(connection.channel)("BlockTeam", id=team)

    async def unblock(self, team: str) -> None:
        """Lifts that."""
        async with connected(self.target) as connection:
            await Client(connection.channel)("UnblockTeam", id=team)

    async def revoke(self, token: str) -> None:
        """Revokes that token."""
        async with connected(self.target) as connection:
            await Client(connection.channel, service=revocation_world.SERVICE)("Revoke", token=token)


@contextmanager
def company_daemon(folder: Path) -> Iterator[CompanyDaemon]:
    """Starts it with its files in that folder, and ends it."""
    daemon = Daemon(folder)
    teams = [
        {"issuer": "idp", "id": "red", "models": [MODEL, REALTIME]},
        {"issuer": "idp", "id": "blue", "models": [MODEL]},
        {"issuer": "idp", "id": "broke", "models": [MODEL], "max_budget": 0},
    ]
    daemon.write("directory.yaml", {"teams": teams})
    far = daemon.issuer | {"name": "far", "issuer": FAR, "keys": {"jwks_url": "https://127.0.0.1:1/jwks"}}
    daemon.configure(
        issuers=[daemon.issuer, far],
        models=[{"name": name} for name in (MODEL, REALTIME, "o3")],
        teams={"routes": ["openai_routes", PUBLIC + "/*", SERVICE_ROUTES]},
        routes={"public": [PUBLIC]},
        directory={"url": "sqlite:///directory.db", "seed": "directory.yaml"},
    )
    with server(folder / "usherd.yaml") as (process, target):
        yield CompanyDaemon(daemon, process, target)
