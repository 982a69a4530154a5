"""Chooses the team: the first of the token's existing teams with which the grants are enough."""

from __future__ import annotations

from usherd.facts import Team
from usherd.identity import Identity
from usherd.permit.asked import Asked
from usherd.permit.case import TeamChoice
from usherd.permit.coverage import shortfall
from usherd.permit.rulebook import CompiledGrant, Rulebook
from usherd.reading import Reading
from usherd.reasons import Reason

_NO_ALIASES: dict[str, str] = {}


def choose_team(
    rules: Rulebook,
    asked: Asked,
    identity: Identity,
    held: tuple[CompiledGrant, ...],
    own: CompiledGrant | None,
    reading: Reading,
) -> TeamChoice:
    """The chosen team. Blocks and budgets are judged on it afterwards, and never move the choice.

    `held` are grants that count with any team; `own` is the user's grant, which counts only without a team.
    """
    profile = identity.profile
    nearest: tuple[Team, Reason] | None = None
    for team_id in identity.team_ids:
        team = reading.team(profile.issuer, team_id)
        if team is None:
            continue
        lacking = shortfall(asked, (*held, rules.of_team(team)), rules.catalogue, team.model_aliases)
        if lacking is None:
            return TeamChoice(team, True, None)
        if nearest is None:
            nearest = (team, lacking)
    if nearest is not None:
        return TeamChoice(nearest[0], True, nearest[1])
    grants = held if own is None else (*held, own)
    default = rules.policy.teams.default
    team = reading.team(profile.issuer, default) if default is not None else None
    # A default team gives limits and attribution. What its members may do is not for those who are none.
    return TeamChoice(team, False, shortfall(asked, grants, rules.catalogue, _NO_ALIASES))
