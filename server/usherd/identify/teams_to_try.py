"""Says which teams can be tried for a question: the token's, the wished one first, or the user's in the directory."""

from __future__ import annotations

from typing import NamedTuple

from usherd.domain import Question
from usherd.facts import User
from usherd.identify.named_teams import in_order
from usherd.identity import Profile
from usherd.ids import well_formed_id
from usherd.policy import Policy
from usherd.reading import Reading


class TeamsToTry(NamedTuple):
    """Teams in the order of choice."""

    ids: tuple[str, ...]
    taken_as_is: bool
    """Whether the first is the team, whatever it may do."""
    wish_refused: bool
    from_directory: bool = False
    """Whether they are the user's own teams, and not the token's."""


def teams_to_try(
    profile: Profile, question: Question, reading: Reading, user: User | None, policy: Policy
) -> TeamsToTry:
    """The teams for a question. A wish for another's, or an alias that does not name one team, is refused."""
    team_ids, refused = profile.team_ids, False
    single = profile.single_team
    # An object id takes the place of all other words for teams.
    if profile.team_alias and not profile.team_by_object:
        named = reading.team_by_alias(profile.issuer, profile.team_alias)
        if named is None or (profile.teams_allowed is not None and named.id not in profile.teams_allowed):
            refused = True
        elif named.id not in team_ids:
            team_ids, single = in_order((*team_ids, named.id), policy.teams.places), single or named.id
    own = _from_directory(profile, reading, user, policy, team_ids)
    if own:
        team_ids, single = own, ""
    wish = _wish(question, profile, reading, policy)
    if wish is not None:
        if wish not in team_ids:
            return TeamsToTry(team_ids, False, True, bool(own))
        team_ids, single = (wish, *(team for team in team_ids if team != wish)), wish if single else ""
    if policy.options.team_choice == "reference" and single:
        # A single team hides whatever groups there are.
        return TeamsToTry((single,), True, refused)
    return TeamsToTry(team_ids, False, refused, bool(own))


def _from_directory(
    profile: Profile, reading: Reading, user: User | None, policy: Policy, team_ids: tuple[str, ...]
) -> tuple[str, ...]:
    """The user's teams of the directory, where the token has none and the policy says so. Empty: it does not."""
    rules = policy.teams
    if rules.from_directory == "never" or user is None or not user.teams or profile.team_by_object:
        return ()
    if team_ids and not (
        rules.unknown_falls_back and all(reading.team(profile.issuer, team) is None for team in team_ids)
    ):
        return ()
    allowed = profile.teams_allowed
    own = tuple(team for team in user.teams if allowed is None or team in allowed)
    if rules.from_directory == "single" and len(own) != 1:
        return ()
    return in_order(own, rules.places)


def _wish(question: Question, profile: Profile, reading: Reading, policy: Policy) -> str | None:
    """The id of the wished team; empty when the wish names no team, None when there is no wish."""
    alias = question.team_alias
    if alias is None:
        wish = question.team_id
        if wish is None or policy.options.team_alias == "apart" or not well_formed_id(wish):
            return wish
        if reading.team(profile.issuer, wish) is not None:
            return wish
        alias = wish
    wished = reading.team_by_alias(profile.issuer, alias) if well_formed_id(alias) else None
    return "" if wished is None else wished.id
