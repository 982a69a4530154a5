"""Rows of the directory as records of SQL, and back. What is a list in a row is kept in one order, so that equal rows
are equal records: a user's teams, identities and the like by code points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row as Record

from usherd.changes import RowKind
from usherd.domain import Limit
from usherd.facts import EndUser, Membership, Organization, Team, User
from usherd.store import ModelRow, Place, Row, RowId

Values = dict[str, Any]


def row_id(row: Row) -> RowId:
    """What the row is named by."""
    match row:
        case Place():
            return (row.team, row.user)
        case ModelRow():
            return (row.name,)
        case _:
            return (row.id,)


def kind_of(row: Row) -> RowKind:
    """What kind of row it is."""
    return _KINDS[type(row)]


_KINDS: Mapping[type[Row], RowKind] = {
    Organization: RowKind.ORGANIZATION,
    Team: RowKind.TEAM,
    User: RowKind.USER,
    Place: RowKind.MEMBERSHIP,
    EndUser: RowKind.END_USER,
    ModelRow: RowKind.MODEL,
}


def normal(row: Row, revision: str = "") -> Row:
    """The row as it comes back when it was written, with that revision; a user's teams are as they were."""
    match row:
        case Place():
            return replace(row, place=replace(row.place, revision=revision))
        case Team():
            return replace(row, members={}, model_aliases=dict(row.model_aliases), revision=revision)
        case User():
            return replace(
                row,
                identities=tuple(sorted(set(row.identities))),
                sso_ids=tuple(sorted(set(row.sso_ids))),
                teams=tuple(sorted(set(row.teams))),
                organizations=tuple(sorted({*row.organizations, *row.administers})),
                administers=tuple(sorted(set(row.administers))),
                revision=revision,
            )
        case _:
            return replace(row, revision=revision)


def with_teams(user: User, teams: tuple[str, ...]) -> User:
    """The user with places in these teams."""
    return replace(user, teams=teams)


def revision_of(row: Row) -> str:
    """The revision of its last change."""
    return row.place.revision if isinstance(row, Place) else row.revision


def values_of(row: Row, revision: int) -> Values:
    """The record of the row's own table."""
    match row:
        case Organization():
            values = {"id": row.id, "alias": row.alias, "models": _list(row.models), "blocked": row.blocked}
            return {**values, **_limit(row.limit), "revision": revision}
        case Team():
            return {
                "id": row.id,
                "issuer": row.issuer,
                "alias": row.alias,
                "organization": row.organization,
                "models": _list(row.models),
                "blocked": row.blocked,
                "guardrails_modifiable": row.guardrails_modifiable,
                "model_aliases": _json(dict(row.model_aliases)),
                **_limit(row.limit),
                "revision": revision,
            }
        case User():
            values = {"id": row.id, "email": row.email, "role": row.role, "models": _list(row.models)}
            return {**values, "blocked": row.blocked, **_limit(row.limit), "revision": revision}
        case Place():
            place = row.place
            values = {"team_id": row.team, "user_id": row.user, "role": place.role, "away": row.away}
            return {**values, "max_budget_micro_usd": place.max_budget_micro_usd, "revision": revision}
        case EndUser():
            return {"id": row.id, "blocked": row.blocked, **_limit(row.limit), "revision": revision}
        case ModelRow():
            values = {"name": row.name, "provider": row.provider}
            return {**values, "groups": _json(row.groups), "aliases": _json(row.aliases), "revision": revision}


def organization(record: Record[Any]) -> Organization:
    """The organization of this record."""
    return Organization(
        id=record.id,
        alias=record.alias,
        models=_tuple(record.models),
        blocked=record.blocked,
        limit=limit(record),
        revision=str(record.revision),
    )


def team(record: Record[Any]) -> Team:
    """The team of this record."""
    return Team(
        id=record.id,
        issuer=record.issuer,
        alias=record.alias,
        organization=record.organization,
        models=_tuple(record.models),
        blocked=record.blocked,
        limit=limit(record),
        members=_NOBODY,
        guardrails_modifiable=record.guardrails_modifiable,
        model_aliases=MappingProxyType(json.loads(record.model_aliases)),
        revision=str(record.revision),
    )


def user(record: Record[Any], parts: Mapping[str, tuple[Any, ...]]) -> User:
    """The user of this record. `parts` are the fields that other tables have."""
    return User(
        id=record.id,
        email=record.email,
        role=record.role,
        models=_tuple(record.models),
        blocked=record.blocked,
        limit=limit(record),
        revision=str(record.revision),
        **parts,
    )


def membership(record: Record[Any]) -> Membership:
    """The place of this record."""
    return Membership(role=record.role, max_budget_micro_usd=record.max_budget_micro_usd, revision=str(record.revision))


def end_user(record: Record[Any]) -> EndUser:
    """The end user of this record."""
    return EndUser(id=record.id, blocked=record.blocked, limit=limit(record), revision=str(record.revision))


def model(record: Record[Any]) -> ModelRow:
    """The model of this record."""
    return ModelRow(
        name=record.name,
        provider=record.provider,
        groups=tuple(json.loads(record.groups)),
        aliases=tuple(json.loads(record.aliases)),
        revision=str(record.revision),
    )


def limit(record: Record[Any]) -> Limit:
    """The limits of a record that has some."""
    return Limit(
        tpm=record.tpm,
        rpm=record.rpm,
        max_budget_micro_usd=record.max_budget_micro_usd,
        budget_reset_seconds=record.budget_reset_seconds,
    )


_NOBODY: Mapping[str, Membership] = MappingProxyType({})


def _limit(limit: Limit) -> Values:
    return {
        "tpm": limit.tpm,
        "rpm": limit.rpm,
        "max_budget_micro_usd": limit.max_budget_micro_usd,
        "budget_reset_seconds": limit.budget_reset_seconds,
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _list(models: tuple[str, ...] | None) -> str | None:
    return None if models is None else _json(models)


def _tuple(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(json.loads(text))
