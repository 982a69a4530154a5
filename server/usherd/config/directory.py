"""Reads a directory file into rows, after the names in it were found to exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from usherd.config.findings import Found, issuer_of, known, twice
from usherd.config.problems import KeyPath
from usherd.config.rules_lists import Every, access_groups, models_of
from usherd.config.schema import File
from usherd.config.schema_directory import DirectoryFile, Limited, OrganizationRow, TeamRow, UserRow
from usherd.domain import Limit
from usherd.facts import EndUser, Membership, Organization, Rows, Team, User


def _ids(file: File, rows: Iterable[OrganizationRow | TeamRow | UserRow]) -> Collection[str]:
    # In the reference's, references may dangle.
    return Every() if file.preset == "litellm" else {row.id for row in rows}


def check(directory: DirectoryFile, file: File) -> Found:
    """Everything that is wrong with a directory under a configuration."""
    issuers = [issuer.name for issuer in file.issuers]
    for key in ("organizations", "teams", "users", "end_users"):
        yield from twice((key,), [row.id for row in getattr(directory, key)], "id", "the id")
    users, teams, organizations = (
        _ids(file, rows) for rows in (directory.users, directory.teams, directory.organizations)
    )
    groups = access_groups(file)
    for path, models in _model_lists(directory):
        yield from models_of((*path, "models"), models, groups)
    for index, team in enumerate(directory.teams):
        path = ("teams", index)
        yield from issuer_of(path, team.issuer, issuers)
        yield from _team(path, team, users, organizations)
        if file.preset == "strict":
            yield from _aliases(path, team)
    for index, user in enumerate(directory.users):
        path = ("users", index)
        yield from _user(
            path,
            user,
            issuers,
            bare_is_for_sessions=file.insecure.session_master_key is not None or file.sessions is not None,
        )
        for place, name in enumerate(user.teams):
            yield from known((*path, "teams", place), name, teams, "team of this directory")
        for place, organization in enumerate(user.organizations):
            where = (*path, "organizations", place)
            yield from known(where, organization.id, organizations, "organization of this directory")
    yield from _identities(directory, issuers)


def check_names(directory: DirectoryFile | None, file: File) -> Found:
    """Names in the configuration that the directory does not have."""
    teams = _ids(file, () if directory is None else directory.teams)
    organizations = _ids(file, () if directory is None else directory.organizations)
    if file.teams.default is not None:
        yield from known(("teams", "default"), file.teams.default, teams, "team of the directory")
    for place, name in enumerate(file.teams.priority):
        yield from known(("teams", "priority", place), name, teams, "team of the directory")
    provision = file.users.provision
    for place, name in enumerate([] if provision is None else provision.defaults.teams or []):
        path: KeyPath = ("users", "provision", "defaults", "teams", place)
        yield from known(path, name, teams, "team of the directory")
    for index, issuer in enumerate(file.issuers):
        path = ("issuers", index, "may_grant")
        for place, name in enumerate(issuer.may_grant.teams or []):
            yield from known((*path, "teams", place), name, teams, "team of the directory")
        for place, name in enumerate(issuer.may_grant.organizations or []):
            yield from known((*path, "organizations", place), name, organizations, "organization of the directory")


def _model_lists(directory: DirectoryFile) -> Iterator[tuple[KeyPath, list[str]]]:
    for key in ("organizations", "teams", "users"):
        for index, row in enumerate(getattr(directory, key)):
            yield (key, index), row.models or []


def _team(path: KeyPath, team: TeamRow, users: Collection[str], organizations: Collection[str]) -> Found:
    if team.organization is not None:
        yield from known((*path, "organization"), team.organization, organizations, "organization of this directory")
    yield from twice((*path, "members"), [member.user for member in team.members], "user", "the user")
    for place, member in enumerate(team.members):
        yield from known((*path, "members", place, "user"), member.user, users, "user of this directory")


def _aliases(path: KeyPath, team: TeamRow) -> Found:
    for alias, target in team.model_aliases.items():
        if target in team.model_aliases:
            text = f"{target} is an alias of this team itself; expected the name of a model"
            yield (*path, "model_aliases", alias), text


def _user(path: KeyPath, user: UserRow, issuers: list[str], *, bare_is_for_sessions: bool) -> Found:
    for place, identity in enumerate(user.identities):
        yield from known((*path, "identities", place, "issuer"), identity.issuer, issuers, "issuer")
    if not user.identities and len(issuers) > 1 and not bare_is_for_sessions:
        yield path, "identities is missing; with more than one issuer, a bare id is nobody's"


def _identities(directory: DirectoryFile, issuers: list[str]) -> Found:
    owners: dict[tuple[str, str], str] = {}
    for index, user in enumerate(directory.users):
        identities = [(identity.issuer, identity.subject) for identity in user.identities]
        if not identities and len(issuers) == 1:
            identities = [(issuers[0], user.id)]
        for identity in identities:
            other = owners.setdefault(identity, user.id)
            if other != user.id:
                yield ("users", index), f"has an identity of the user {other!r}; expected each once"


def rows(directory: DirectoryFile) -> Rows:
    """The rows of a directory that was checked."""
    return Rows(
        organizations=tuple(
            Organization(
                id=row.id,
                alias=row.alias or "",
                models=_models(row.models),
                blocked=row.blocked,
                limit=_limit(row),
            )
            for row in directory.organizations
        ),
        teams=tuple(_team_row(row) for row in directory.teams),
        users=tuple(_user_row(row) for row in directory.users),
        end_users=tuple(EndUser(id=row.id, blocked=row.blocked, limit=_limit(row)) for row in directory.end_users),
    )


def _team_row(row: TeamRow) -> Team:
    members = {
        member.user: Membership(role=member.role, max_budget_micro_usd=member.max_budget) for member in row.members
    }
    return Team(
        id=row.id,
        issuer=row.issuer,
        alias=row.alias or "",
        organization=row.organization or "",
        models=tuple(row.models),
        blocked=row.blocked,
        limit=_limit(row),
        members=members,
        guardrails_modifiable=row.metadata.guardrails.modify_guardrails,
        model_aliases=dict(row.model_aliases),
    )


def _user_row(row: UserRow) -> User:
    return User(
        id=row.id,
        identities=tuple((identity.issuer, identity.subject) for identity in row.identities),
        sso_ids=tuple(row.sso_ids),
        email=row.email or "",
        role=row.role or "",
        models=_models(row.models),
        teams=tuple(row.teams),
        organizations=tuple(place.id for place in row.organizations),
        administers=tuple(place.id for place in row.organizations if place.role == "org_admin"),
        blocked=row.blocked,
        limit=_limit(row),
    )


def _models(entries: list[str] | None) -> tuple[str, ...] | None:
    return None if entries is None else tuple(entries)


def _limit(row: Limited) -> Limit:
    return Limit(
        tpm=row.tpm,
        rpm=row.rpm,
        max_budget_micro_usd=row.max_budget,
        budget_reset_seconds=None if row.budget_period is None else int(row.budget_period),
    )
