"""Translates the database of a case into rows of the directory, and its spend into recorded usage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Organization, Rows, Team, User
from usherd.parity.cases import Json

ORGANIZATION_ADMIN = "org_admin"


def rows(database: Json) -> Rows:
    """The rows. LiteLLM's columns have defaults: no models, no budget, not blocked."""
    return Rows(
        organizations=tuple(
            Organization(id=key, models=_ceiling(each), limit=_limit(each)) for key, each in _table(database, "orgs")
        ),
        teams=tuple(_team(key, each) for key, each in _table(database, "teams")),
        users=tuple(_user(key, each) for key, each in _table(database, "users")),
        end_users=tuple(
            EndUser(id=key, blocked=bool(each.get("blocked")), limit=_limit(each))
            for key, each in _table(database, "end_users")
        ),
    )


def usage(database: Json) -> Iterator[tuple[BudgetOwner, int]]:
    """What each owner of a budget has spent, in micro-USD."""
    for table, kind in (
        ("orgs", BudgetKind.ORGANIZATION),
        ("teams", BudgetKind.TEAM),
        ("users", BudgetKind.USER),
        ("end_users", BudgetKind.END_USER),
    ):
        for key, each in _table(database, table):
            if each.get("spend"):
                yield BudgetOwner(kind, key), _micro_usd(each["spend"])
    if database.get("global_spend"):
        yield BudgetOwner(BudgetKind.GLOBAL), _micro_usd(database["global_spend"])


def _table(database: Json, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from (database.get(name) or {}).items()


def _team(key: str, row: Json) -> Team:
    guardrails = (row.get("metadata") or {}).get("guardrails") or {}
    return Team(
        id=key,
        alias=row.get("team_alias") or "",
        organization=row.get("organization_id") or "",
        models=tuple(row.get("models") or ()),
        blocked=bool(row.get("blocked")),
        limit=_limit(row),
        guardrails_modifiable=guardrails.get("modify_guardrails") is not False,
    )


def _user(key: str, row: Json) -> User:
    memberships = row.get("organization_memberships") or ()
    sso_id = row.get("sso_user_id")
    return User(
        id=key,
        sso_ids=(sso_id,) if sso_id else (),
        email=row.get("user_email") or "",
        role=row.get("user_role") or "",
        models=_ceiling(row),
        teams=tuple(row.get("teams") or ()),
        organizations=tuple(each["organization_id"] for each in memberships),
        administers=tuple(each["organization_id"] for each in memberships if each["user_role"] == ORGANIZATION_ADMIN),
        limit=_limit(row),
    )


def _ceiling(row: Json) -> tuple[str, ...] | None:
    """LiteLLM's empty list is no restriction; where ours is a ceiling, absent is none and empty is nothing."""
    return tuple(row.get("models") or ()) or None


def _limit(row: Json) -> Limit:
    maximum = row.get("max_budget")
    return Limit(max_budget_micro_usd=None if maximum is None else _micro_usd(maximum))


def _micro_usd(usd: float) -> int:
    return round(usd * 1_000_000)
