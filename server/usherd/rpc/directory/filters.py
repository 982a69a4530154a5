"""Reads which rows a list wants."""

from __future__ import annotations

from typing import Any

from usherd.rpc.directory.fields import maybe_id, prefix_of
from usherd.store import Filter


def _blocked(request: Any) -> bool | None:
    return request.blocked if request.HasField("blocked") else None


def organizations(request: Any) -> Filter:
    """What a ListOrganizationsRequest wants. Raises FieldInvalid."""
    return Filter(
        prefix=prefix_of(request.id_prefix, "id_prefix"),
        alias=maybe_id(request.alias, "alias"),
        blocked=_blocked(request),
    )


def teams(request: Any) -> Filter:
    """What a list of teams wants. Raises FieldInvalid."""
    return Filter(
        prefix=prefix_of(request.id_prefix, "id_prefix"),
        alias=maybe_id(request.alias, "alias"),
        organization=maybe_id(request.organization_id, "organization_id"),
        issuer=maybe_id(request.issuer, "issuer"),
        blocked=_blocked(request),
    )


def users(request: Any) -> Filter:
    """What a list of users wants. Raises FieldInvalid."""
    return Filter(
        prefix=prefix_of(request.id_prefix, "id_prefix"),
        organization=maybe_id(request.organization_id, "organization_id"),
        team=maybe_id(request.team_id, "team_id"),
        issuer=maybe_id(request.issuer, "issuer"),
        email=maybe_id(request.email, "email"),
        blocked=_blocked(request),
    )


def memberships(request: Any) -> Filter:
    """What a list of memberships wants. Raises FieldInvalid."""
    return Filter(team=maybe_id(request.team_id, "team_id"), user=maybe_id(request.user_id, "user_id"))


def end_users(request: Any) -> Filter:
    """What a list of end users wants. Raises FieldInvalid."""
    return Filter(prefix=prefix_of(request.id_prefix, "id_prefix"), blocked=_blocked(request))


def models(request: Any) -> Filter:
    """What a list of models wants. Raises FieldInvalid."""
    return Filter(prefix=prefix_of(request.name_prefix, "name_prefix"))
