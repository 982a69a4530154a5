"""Says which rows an answer wants to have written: users and teams that are new, and roles and teams kept in step.

Being written entitles to nothing: a row that is new counts only for questions that come after it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from usherd.domain import SESSION_ISSUER, Limit
from usherd.facts import Team, User, Write, WriteKind
from usherd.identity import Identity
from usherd.permit.case import Case, TeamChoice
from usherd.permit.rulebook import Rulebook
from usherd.policy import ProvisionRules
from usherd.reading import Reading


def new_user(rules: Rulebook, identity: Identity, choice: TeamChoice, reading: Reading) -> User | None:
    """The row for a holder whom the directory does not know; None when there is none to be written."""
    profile, wanted = identity.profile, rules.policy.users.provision
    if wanted is None or identity.user is not None or identity.at_once or not profile.user:
        return None
    if profile.issuer == SESSION_ISSUER or not profile.email_accepted or not _met(wanted, identity, choice):
        return None
    defaults = wanted.defaults
    # Subjects of two issuers may be the same, or the id of somebody else's row, and are never one user.
    taken = len(rules.policy.issuers) > 1 or reading.user_by_id(profile.user) is not None
    return User(
        id=f"{profile.issuer}/{profile.user}" if taken else profile.user,
        identities=((profile.issuer, profile.user),),
        email=profile.email,
        role=_role(rules, identity) or cast(str, defaults.get("role", "")),
        models=cast("tuple[str, ...] | None", defaults.get("models")),
        teams=cast("tuple[str, ...]", defaults.get("teams", ())),
        limit=Limit(max_budget_micro_usd=cast("int | None", defaults.get("max_budget_micro_usd"))),
    )


def _role(rules: Rulebook, identity: Identity) -> str:
    """The role to be in the row. Where rows make no administrators, the provider's role is written as it is."""
    if rules.options.directory_role == "honoured":
        return identity.directory_role
    return identity.profile.directory_role or ("" if identity.user is None else identity.user.role)


def user_writes(case: Case) -> tuple[Write, ...]:
    """What is to be written about the user."""
    if case.new_user is not None:
        return (Write(WriteKind.CREATE_USER, case.new_user),)
    user, rules = case.identity.user, case.rules.policy.users
    if user is None:
        return ()
    identity, profile = case.identity, case.identity.profile
    role = _role(case.rules, identity) if rules.sync_roles and profile.tells_roles else user.role
    teams = _existing_teams(case) if rules.sync_teams and (profile.team_ids or profile.names_groups) else user.teams
    if role == user.role and set(teams) == set(user.teams):
        return ()
    return (Write(WriteKind.UPDATE_USER, replace(user, role=role, teams=tuple(sorted(teams)))),)


def team_writes(case: Case) -> tuple[Write, ...]:
    """What is to be written about the team: the single one that the token names, if the directory lacks it."""
    wanted, identity = case.rules.policy.teams.provision, case.identity
    single = identity.profile.single_team
    if wanted is None or not single or identity.profile.team_by_object or identity.at_once:
        return ()
    if not _met(wanted, identity, case.choice) or case.reading.team(identity.profile.issuer, single) is not None:
        return ()
    several = len(case.rules.policy.issuers) > 1
    defaults = wanted.defaults
    row = Team(
        id=single,
        issuer=identity.profile.issuer if several else None,
        models=cast("tuple[str, ...]", defaults.get("models", ())),
        limit=Limit(max_budget_micro_usd=cast("int | None", defaults.get("max_budget_micro_usd"))),
    )
    return (Write(WriteKind.CREATE_TEAM, row),)


def _met(wanted: ProvisionRules, identity: Identity, choice: TeamChoice) -> bool:
    """Whether one of the conditions holds."""
    profile = identity.profile
    return (
        wanted.always
        or not wanted.roles.isdisjoint(profile.role_names)
        or not wanted.scopes.isdisjoint(profile.scopes)
        or (wanted.teams and choice.claimed)
        or (profile.email_verified and profile.email_domain in wanted.email_domains)
    )


def _existing_teams(case: Case) -> tuple[str, ...]:
    issuer = case.identity.profile.issuer
    return tuple(team for team in case.identity.profile.team_ids if case.reading.team(issuer, team) is not None)
