"""Who is who, and who is where: LiteLLM keeps places in teams in four columns, which need not agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from usherd.facts import Membership
from usherd.ids import well_formed_id
from usherd.imports import litellm_tables as tables
from usherd.imports.litellm_read import Read, Record, Subject
from usherd.imports.notes import Notes
from usherd.imports.values import NotJson, from_json, is_set, micro_usd
from usherd.store import Place

Identities = dict[str, tuple[tuple[str, str], ...]]


def sign_on(users: Iterable[tuple[str, Record]], issuer: str, subject: Subject, notes: Notes) -> Identities:
    """How the issuer knows each user. Nobody gets an identity that is another's: LiteLLM takes the user's id first."""
    found: Identities = {}
    if not issuer:
        return found
    kind = tables.USERS.kind
    rows = [(row_id, row.get("sso_user_id") or "") for row_id, row in users]
    for row_id, sso_id in rows:
        if sso_id and not well_formed_id(sso_id):
            notes.leave(kind, row_id, "sso_user_id: it is not 1 to 256 printable characters")
    by_id = {row_id for row_id, sso_id in rows if subject != "sso-id" or not well_formed_id(sso_id)}
    for row_id, sso_id in rows:
        subjects = [row_id] if row_id in by_id else []
        if subject != "user-id" and well_formed_id(sso_id) and sso_id != row_id:
            if sso_id in by_id:
                notes.leave(kind, row_id, "sso_user_id: it is the id of another user, who is found by it")
            else:
                subjects.append(sso_id)
        elif subject == "sso-id" and sso_id == row_id:
            subjects = [row_id]
        found[row_id] = tuple((issuer, each) for each in subjects)
    return found


def places_of(read: Read, teams: set[str], users: set[str], notes: Notes) -> Iterator[Place]:
    """Places in teams: those that the team names, and those that the user names."""
    kind = tables.PLACES.kind
    roles = dict(_named_by_teams(read, notes))
    by_users = dict.fromkeys(_named_by_users(read))
    budgets = {row["budget_id"]: row for row in read.of(tables.BUDGETS)}
    with_budget = {(row["team_id"], row["user_id"]): row for row in read.of(tables.PLACES)}
    for team, user in sorted({*roles, *by_users}):
        name = f"{user} in {team}"
        if team not in teams or user not in users:
            missing = "team" if team not in teams else "user"
            notes.skip(kind, name, f"its {missing} is not imported")
            continue
        if (team, user) not in roles:
            notes.leave(kind, name, "the user names the team, and the team does not name the user")
        elif (team, user) not in by_users:
            notes.leave(kind, name, "the team names the user, and the user does not name the team")
        row = with_budget.get((team, user))
        maximum = None if row is None else _maximum(name, row.get("budget_id"), budgets, notes)
        role = roles.get((team, user), "user")
        yield Place(team=team, user=user, place=Membership(role=role, max_budget_micro_usd=maximum))
    for team, user in with_budget:
        if (team, user) not in roles and (team, user) not in by_users:
            notes.skip(kind, f"{user} in {team}", "neither the team nor the user names it: the user has left")


def _named_by_teams(read: Read, notes: Notes) -> Iterator[tuple[tuple[str, str], str]]:
    for row in read.of(tables.TEAMS):
        team = row["team_id"]
        admins = {each for each in row.get("admins") or () if isinstance(each, str)}
        for user in (*(row.get("members") or ()), *admins):
            yield (team, user), "admin" if user in admins else "user"
        try:
            members = from_json(row.get("members_with_roles")) or []
        except NotJson:
            members = None
        if members and not isinstance(members, list):
            members = None
        if members is None:
            notes.leave(tables.TEAMS.kind, team, "members_with_roles: it is no list in JSON")
        for member in members or ():
            user = member.get("user_id") if isinstance(member, dict) else None
            if not isinstance(user, str) or not user:
                notes.leave(tables.TEAMS.kind, team, "members_with_roles: members without a user_id")
                continue
            role = member.get("role")
            if role not in ("user", "admin"):
                notes.leave(
                    tables.PLACES.kind, f"{user} in {team}", "role: it is neither user nor admin, and is user here"
                )
            yield (team, user), "admin" if role == "admin" or user in admins else "user"


def _named_by_users(read: Read) -> Iterator[tuple[str, str]]:
    for row in read.of(tables.USERS):
        for team in row.get("teams") or ():
            if isinstance(team, str):
                yield team, row["user_id"]


def _maximum(name: str, budget_id: Any, budgets: Mapping[Any, Record], notes: Notes) -> int | None:
    if budget_id is None:
        return None
    kind, row = tables.PLACES.kind, budgets.get(budget_id)
    if row is None:
        notes.leave(kind, name, "budget_id: there is no such budget")
        return None
    for each in (*tables.BUDGETS.told, "tpm_limit", "rpm_limit", "budget_duration"):
        if is_set(row.get(each)):
            notes.leave(kind, name, f"{each} of its budget")
    maximum = micro_usd(row.get("max_budget"))
    if maximum.note:
        notes.leave(kind, name, f"max_budget: it {maximum.note}")
    return maximum.value
