"""A company whose teams are blocked and whose tokens are revoked on demand, for proofs of caches and middleware."""

from __future__ import annotations

import time
from typing import Any

from tools.living_core import Revoked
from tools.living_world import change_team
from tools.story_server.plays import asked_of
from tools.story_server.stage import Stage
from usherd.authorizer import Authorizer
from usherd.changes import Lookup, News, Sought
from usherd.facts import Team
from worlds import World

MOST = 10_000
"""Teams that a laboratory may have."""
LIFETIME = 3600
"""Seconds that the tokens of a laboratory live."""


class LabWorld(World):
    """A world whose clock goes on."""

    @property  # type: ignore[override]
    def now(self) -> float:
        """This machine's clock."""
        return time.time()

    @now.setter
    def now(self, value: float) -> None:
        """It cannot be set."""

    def made_authorizer(self, **changes: Any) -> Authorizer:
        """As `World.made_authorizer`, by a stopwatch that runs."""
        return super().made_authorizer(**({"stopwatch": time.monotonic} | changes))


class Lab:
    """One company at a time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world: LabWorld | None = None
        self._revoked = Revoked()

    def begin(self, teams: int, silence: float | None) -> dict[str, Any]:
        """A new company. Each team has a member, who asks one question and is allowed.

        `silence` as in `Stage.show`.
        """
        if not 1 <= teams <= MOST:
            raise ValueError(f"teams: expected 1 to {MOST}")
        self._revoked = Revoked()
        rows = tuple(_team(number) for number in range(teams))
        world = LabWorld(teams=rows, revocations=self._revoked)
        self._stage.show(world.authorizer, world.directory, time.time, silence=silence)
        self._world = world
        return {
            "asks": [asked_of(world.question(claims=_claims(team.id))) for team in rows],
            "max_silence": self._stage.hub.bounds.max_silence,
        }

    def flip(self, team: int, blocked: bool) -> dict[str, Any]:
        """Blocks a team, or lifts its block; done when it returns."""
        world = self._open(team)
        revision = change_team(world, _team(team, blocked=blocked))
        return {"revision": f"{world.directory.at_hand().store}:{revision}"}

    def revoke(self, team: int) -> dict[str, Any]:
        """Revokes the token of that team's question, for good."""
        world = self._open(team)
        jti = _team(team).id
        self._revoked.jtis.add(jti)
        revision = world.directory.at_hand().revision
        self._stage.hub.hear(News(revision, frozenset(), (Lookup(Sought.JTI, ("idp", jti)),), time.time()))
        return {}

    def _open(self, team: int) -> LabWorld:
        if self._world is None:
            raise LookupError("laboratory")
        if not 0 <= team < len(self._world.teams):
            raise LookupError(f"team {team}")
        return self._world


def _claims(team_id: str) -> dict[str, Any]:
    exp = int(time.time()) + LIFETIME
    return {"groups": [team_id], "jti": team_id, "sub": f"of {team_id}", "exp": exp}


def _team(number: int, *, blocked: bool = False) -> Team:
    return Team(id=f"t{number}", models=("gpt-4o",), blocked=blocked)
