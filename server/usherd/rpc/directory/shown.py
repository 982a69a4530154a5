"""Shows rows as messages of the contract."""

from __future__ import annotations

from usher.v1 import (
    end_user_pb2,
    membership_pb2,
    model_access_pb2,
    model_pb2,
    organization_pb2,
    row_limit_pb2,
    team_pb2,
    user_pb2,
)
from usherd.domain import Limit
from usherd.facts import EndUser, Organization, Team, User
from usherd.rpc.directory.fields import ALL_MODELS
from usherd.rpc.faults import duration
from usherd.store import ModelRow, Place


def _access(models: tuple[str, ...] | None) -> model_access_pb2.ModelAccess | None:
    if models is None:
        return None
    if models == ALL_MODELS:
        return model_access_pb2.ModelAccess(all=model_access_pb2.Unrestricted())
    return model_access_pb2.ModelAccess(only=model_access_pb2.ModelList(models=models))


def _limit(limit: Limit) -> row_limit_pb2.RowLimit | None:
    if not limit:
        return None
    reset = limit.budget_reset_seconds
    return row_limit_pb2.RowLimit(
        tpm=limit.tpm,
        rpm=limit.rpm,
        max_budget_micro_usd=limit.max_budget_micro_usd,
        budget_reset=None if reset is None else duration(reset),
    )


def organization(row: Organization, etag: str) -> organization_pb2.Organization:
    """An organization."""
    return organization_pb2.Organization(
        id=row.id,
        alias=row.alias,
        model_ceiling=_access(row.models),
        blocked=row.blocked,
        limit=_limit(row.limit),
        etag=etag,
    )


def team(row: Team, etag: str) -> team_pb2.Team:
    """A team."""
    aliases = sorted(row.model_aliases.items())
    return team_pb2.Team(
        id=row.id,
        issuer=row.issuer or "",
        alias=row.alias,
        organization_id=row.organization,
        # An empty grant is none.
        models=_access(row.models or None),
        blocked=row.blocked,
        limit=_limit(row.limit),
        guardrails_locked=not row.guardrails_modifiable,
        model_aliases=[team_pb2.ModelAlias(name=name, model=model) for name, model in aliases],
        etag=etag,
    )


def user(row: User, etag: str) -> user_pb2.User:
    """A user."""
    return user_pb2.User(
        id=row.id,
        identities=[user_pb2.Identity(issuer=issuer, subject=subject) for issuer, subject in row.identities],
        sso_ids=row.sso_ids,
        email=row.email,
        role=row.role,
        models=_access(row.models),
        organizations=[
            user_pb2.OrganizationPlace(organization_id=each, administers=each in row.administers)
            for each in row.organizations
        ],
        blocked=row.blocked,
        limit=_limit(row.limit),
        etag=etag,
    )


def membership(row: Place, etag: str) -> membership_pb2.Membership:
    """A user's place in a team."""
    return membership_pb2.Membership(
        team_id=row.team,
        user_id=row.user,
        role=row.place.role,
        max_budget_micro_usd=row.place.max_budget_micro_usd,
        etag=etag,
    )


def end_user(row: EndUser, etag: str) -> end_user_pb2.EndUser:
    """An end user."""
    return end_user_pb2.EndUser(id=row.id, blocked=row.blocked, limit=_limit(row.limit), etag=etag)


def model(row: ModelRow, etag: str) -> model_pb2.CatalogueModel:
    """A model."""
    return model_pb2.CatalogueModel(
        name=row.name, provider=row.provider, groups=row.groups, aliases=row.aliases, etag=etag
    )
