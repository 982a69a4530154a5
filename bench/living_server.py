"""A server whose directory is changed from outside: python -m bench.living_server CONFIG.

Reads a command a line, and answers each with a line: the moment of the last change it made, by the machine's monotonic
clock, which all processes share.

    block N | allow N      blocks a team, or lifts it
    storm RATE SECONDS     blocks and lifts teams in turn, so many changes a second; answers with the teams blocked then
    spend RATE SECONDS     records usage of a micro-dollar, so many times a second
    exhaust N              spends all of a team's budget
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import uvloop

from bench.company import TEAMS
from usherd.app import _limits, _listen, spare_the_collector
from usherd.config.load import load
from usherd.facts import BudgetKind, BudgetOwner
from usherd.house import opened
from usherd.rpc.health import Readiness
from usherd.rpc.hub_life import new_hub
from usherd.rpc.server import all_alike, serving
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory, new_store_id
from usherd.stores.pinned_directory import PinnedDirectory
from usherd.stores.row_lookups import lookups_of


class Changing:
    """The directory, changed a row at a time as a kept one is."""

    def __init__(self, directory: MemoryDirectory) -> None:
        self._directory = directory

    def set_blocked(self, number: int, blocked: bool) -> float:
        facts = self._directory.at_hand()
        team = facts.tables.teams.get(f"team-{number}")
        assert team is not None
        tables = facts.tables.with_team(replace(team, blocked=blocked), facts.revision + 1)
        at = time.monotonic()
        self._directory._publish(tables, lookups_of(team))
        return at

    async def storm(self, rate: float, seconds: float) -> str:
        """Each change is made when it is due; those that are late are made at once."""
        blocked: set[int] = set()
        begun, done = time.monotonic(), 0
        while done < rate * seconds:
            await asyncio.sleep(max(0.0, begun + done / rate - time.monotonic()))
            number = done * 37 % TEAMS
            blocked ^= {number}
            self.set_blocked(number, number in blocked)
            done += 1
        return f"{time.monotonic()} {' '.join(map(str, sorted(blocked)))}"

    async def spend(self, rate: float, seconds: float) -> float:
        begun, done = time.monotonic(), 0
        while done < rate * seconds:
            await asyncio.sleep(max(0.0, begun + done / rate - time.monotonic()))
            self._directory.record_usage(BudgetOwner(BudgetKind.TEAM, f"team-{done % TEAMS}"), 1)
            done += 1
        return time.monotonic()

    def exhaust(self, number: int) -> float:
        at = time.monotonic()
        self._directory.record_usage(BudgetOwner(BudgetKind.TEAM, f"team-{number}"), 20_000_000_000)
        return at

    async def obey(self, line: str) -> object:
        match line.split():
            case ["block", number]:
                return self.set_blocked(int(number), True)
            case ["allow", number]:
                return self.set_blocked(int(number), False)
            case ["storm", rate, seconds]:
                return await self.storm(float(rate), float(seconds))
            case ["spend", rate, seconds]:
                return await self.spend(float(rate), float(seconds))
            case ["exhaust", number]:
                return self.exhaust(int(number))
        raise ValueError(line)


async def main(config: Path) -> None:
    """Serves until its input ends."""
    settings = load(config)
    everyone = Budget(settings.policy.budgets.global_max_micro_usd, settings.budget_period)
    directory = MemoryDirectory(
        new_store_id(), settings.directory, bare_ids_for=settings.only_issuer, everyone=everyone
    )
    limits = _limits(settings)
    hub = new_hub(limits)
    directory.listen(hub.hear)
    readiness = Readiness()
    async with (
        opened(settings, PinnedDirectory(directory)) as house,
        serving(
            house.authorizer,
            listen=_listen(settings.server),
            limits=limits,
            readiness=readiness,
            begins=all_alike(may_explain=True),
            hub=hub,
        ),
    ):
        spare_the_collector()
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print("ready", flush=True)
        changing = Changing(directory)
        while line := (await reader.readline()).decode().strip():
            print(await changing.obey(line), flush=True)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
