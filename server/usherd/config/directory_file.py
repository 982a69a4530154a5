"""Reads a directory file on its own, for a store that keeps what is in it, and writes one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from usherd.config.directory import rows
from usherd.config.document import Document, parse_document, read_document
from usherd.config.findings import Found, twice
from usherd.config.latitude import Latitude
from usherd.config.litellm.emit import to_yaml
from usherd.config.plain_words import validated
from usherd.config.problems import ConfigError, quoted
from usherd.config.scalars import duration_text
from usherd.config.schema_directory import DirectoryFile
from usherd.domain import Limit
from usherd.facts import EndUser, Membership, Organization, Rows, Team, User

HEADER = "A directory, as it was kept in a store. `usherd directory apply` makes a store as this file says."

_FREE = Latitude(any_text=True)
"""What ids and models may be is the store's to say: it knows the preset that it is read by."""


def read_directory(path: Path) -> Rows:
    """The rows of a directory file. What its rows name besides may be in the store already.

    Raises ConfigError with everything that is wrong.
    """
    return _rows(read_document(path))


def parse_directory(content: bytes, name: str) -> Rows:
    """The rows of a directory file's content, as `read_directory`."""
    return _rows(parse_document(content, name, Path()))


def _rows(document: Document) -> Rows:
    file, problems = validated(document, DirectoryFile, _FREE)
    if file is not None:
        problems += [document.problem(place, text) for place, text in _check(file)]
    if problems or file is None:
        raise ConfigError(problems)
    return rows(file)


def _check(file: DirectoryFile) -> Found:
    for key in ("organizations", "teams", "users", "end_users"):
        yield from twice((key,), [row.id for row in getattr(file, key)], "id", "the id")
    teams_of = {user.id: frozenset(user.teams) for user in file.users}
    for index, team in enumerate(file.teams):
        yield from twice(("teams", index, "members"), [each.user for each in team.members], "user", "the user")
        for place, member in enumerate(team.members):
            # In a store, whoever has a place in a team is in it: a file must not bring somebody in by the way.
            if team.id not in teams_of.get(member.user, (team.id,)):
                text = f"{quoted(member.user)} is not in the team by its own `teams`; expected the team there, too"
                yield ("teams", index, "members", place, "user"), text


def directory_text(kept: Rows) -> str:
    """The rows as a directory file."""
    document = {
        "organizations": [_organization(row) for row in kept.organizations],
        "teams": [_team(row) for row in kept.teams],
        "users": [_user(row) for row in kept.users],
        "end_users": [_end_user(row) for row in kept.end_users],
    }
    return to_yaml({key: value for key, value in document.items() if value} or {"users": []}, {}, HEADER)


def row_mapping(row: Organization | Team | User | EndUser) -> dict[str, Any]:
    """A row as it stands in a directory file."""
    match row:
        case Organization():
            return _organization(row)
        case Team():
            return _team(row)
        case User():
            return _user(row)
        case EndUser():
            return _end_user(row)


def _organization(row: Organization) -> dict[str, Any]:
    return _given(id=row.id, alias=row.alias, **_models(row.models), **_common(row))


def _team(row: Team) -> dict[str, Any]:
    return _given(
        id=row.id,
        issuer=row.issuer,
        alias=row.alias,
        organization=row.organization,
        **_models(row.models or None),
        **_common(row),
        members=[_member(user, place) for user, place in sorted(row.members.items()) if place != Membership()],
        model_aliases=dict(sorted(row.model_aliases.items())),
        metadata={} if row.guardrails_modifiable else {"guardrails": {"modify_guardrails": False}},
    )


def _member(user: str, place: Membership) -> dict[str, Any]:
    budget = place.max_budget_micro_usd
    role = None if place.role == Membership().role else place.role
    return _given(user=user, role=role, max_budget=None if budget is None else money(budget))


def _user(row: User) -> dict[str, Any]:
    return _given(
        id=row.id,
        identities=[{"issuer": issuer, "subject": subject} for issuer, subject in row.identities],
        sso_ids=list(row.sso_ids),
        email=row.email,
        role=row.role,
        **_models(row.models),
        teams=list(row.teams),
        organizations=[
            {"id": each, "role": "org_admin"} if each in row.administers else each for each in row.organizations
        ],
        **_common(row),
    )


def _end_user(row: EndUser) -> dict[str, Any]:
    return _given(id=row.id, **_common(row))


def _common(row: Organization | Team | User | EndUser) -> Mapping[str, Any]:
    return {"blocked": row.blocked, **dict(_limit(row.limit))}


def _limit(limit: Limit) -> Iterator[tuple[str, Any]]:
    # 0 is a limit, and is not left out.
    if limit.max_budget_micro_usd is not None:
        yield "max_budget", money(limit.max_budget_micro_usd)
    if limit.budget_reset_seconds is not None:
        yield "budget_period", duration_text(limit.budget_reset_seconds)
    for name in ("tpm", "rpm"):
        value = getattr(limit, name)
        if value is not None:
            yield name, value


def _models(models: tuple[str, ...] | None) -> Mapping[str, Any]:
    return {} if models is None else {"models": list(models)}


def _given(**values: Any) -> dict[str, Any]:
    """Those that say something. An empty list of models does: where it may be absent, that is another thing."""
    return {
        key: value
        for key, value in values.items()
        if key == "models" or (value not in (None, "", [], {}) and value is not False)
    }


def money(micro_usd: int) -> str:
    """Micro-USD in dollars, exactly."""
    return f"{Decimal(micro_usd) / 1_000_000:f}"
