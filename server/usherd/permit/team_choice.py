"""Chooses the team: the first of the token's existing teams with which the grants are enough."""

from __future__ import annotations

from collections.abc import Sequence

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
    if identity.taken_as_is:
        return _as_it_is(rules, asked, identity, held, own, reading)
    options, profile = rules.options, identity.profile
    nearest: tuple[Team, Reason] | None = None
    for team_id in identity.team_ids:
        team = reading.team(profile.issuer, team_id)
        if team is None:
            continue
        lacking = _lacking(rules, asked, held, team)
        if lacking is None:
            # As the reference chooses, having the model by name is not all there is to be said of it.
            lacking = None if options.team_choice == "route_and_model" else _with(rules, asked, held, team)
            return TeamChoice(team=team, team_id=team.id, claimed=True, shortfall=lacking)
        if nearest is None:
            nearest = (team, lacking)
    names_teams = profile.names_groups or bool(identity.team_ids)
    if options.none_qualifies == "continue" and names_teams and not identity.at_once:
        # A request without a model goes on as if the token named no team.
        if asked.named_models:
            lost = nearest is None
            return TeamChoice(none_qualifies=True, unknown=lost, shortfall=Reason.MODEL_NOT_GRANTED)
    elif nearest is not None:
        return TeamChoice(team=nearest[0], team_id=nearest[0].id, claimed=True, shortfall=nearest[1])
    return _without_claimed(rules, asked, identity, held, own, reading)


def _as_it_is(
    rules: Rulebook,
    asked: Asked,
    identity: Identity,
    held: tuple[CompiledGrant, ...],
    own: CompiledGrant | None,
    reading: Reading,
) -> TeamChoice:
    """The single team of the token, whatever it may do; one that an object id names may not even be looked up."""
    team_id = identity.team_ids[0]
    if identity.profile.team_by_object and not rules.options.object_id_loads:
        # A team that nobody looks at opens and closes nothing: the request is judged as without a team.
        grants = (*held, rules.nobody if own is None else own)
        return TeamChoice(team_id=team_id, claimed=True, shortfall=_short(rules, asked, grants))
    team = reading.team(identity.profile.issuer, team_id)
    if team is None:
        # One that is to be created has no list of models yet.
        grants = (*held, rules.of_team(Team(id=team_id)))
        return TeamChoice(team_id=team_id, unknown=True, shortfall=_short(rules, asked, grants))
    return TeamChoice(team=team, team_id=team_id, claimed=True, shortfall=_with(rules, asked, held, team))


def _with(rules: Rulebook, asked: Asked, held: tuple[CompiledGrant, ...], team: Team) -> Reason | None:
    """What the grants lack with that team."""
    return _short(rules, asked, (*held, rules.of_team(team)), team)


def _lacking(rules: Rulebook, asked: Asked, held: tuple[CompiledGrant, ...], team: Team) -> Reason | None:
    if rules.options.team_choice == "route_and_model":
        return _with(rules, asked, held, team)
    grant = rules.of_team(team, by_group=True)
    # An empty name is no model to the reference here.
    return shortfall(asked.method, asked.route, asked.named_models, (*held, grant), rules.catalogue, team.model_aliases)


def _without_claimed(
    rules: Rulebook,
    asked: Asked,
    identity: Identity,
    held: tuple[CompiledGrant, ...],
    own: CompiledGrant | None,
    reading: Reading,
) -> TeamChoice:
    options = rules.options
    default = _default_id(identity, rules)
    team = reading.team(identity.profile.issuer, default) if default else None
    grants = held if own is None else (*held, own)
    if default and options.default_entitles:
        grants = (*grants, rules.of_team(team if team is not None else Team(id=default)))
        return TeamChoice(
            team=team,
            team_id=default,
            claimed=team is not None,
            unknown=team is None,
            shortfall=_short(rules, asked, grants, team),
        )
    if options.unentitled == "allow" and identity.user is None and not identity.is_admin:
        # Nobody in particular may do at most what the default team may, if there is to be one.
        nobody = (rules.nobody,) if not default else () if team is None else (rules.of_team(team),)
        grants = (*grants, *nobody)
    # A default team gives limits and attribution. What its members may do is not for those who are none.
    return TeamChoice(team=team, team_id="" if team is None else team.id, shortfall=_short(rules, asked, grants))


def _default_id(identity: Identity, rules: Rulebook) -> str:
    """The default team, where it applies. Empty: none."""
    default = rules.policy.teams.default
    if not default or identity.at_once:
        return ""
    if rules.options.default_applies == "always":
        return default
    return "" if rules.has_team_claim(identity.profile.issuer) else default


def _short(rules: Rulebook, asked: Asked, grants: Sequence[CompiledGrant], team: Team | None = None) -> Reason | None:
    aliases = _NO_ALIASES if team is None else team.model_aliases
    return shortfall(asked.method, asked.route, asked.models, grants, rules.catalogue, aliases)
