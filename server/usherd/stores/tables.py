"""All rows of a directory, with an index for each way in which they are looked up. Immutable, as the rows are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from usherd.facts import BudgetKind, BudgetOwner, EndUser, Organization, Rows, Team, User
from usherd.stores.budgets import NO_BUDGET, Budget
from usherd.stores.sharded import Sharded

RowT = TypeVar("RowT", Organization, Team, User, EndUser)
AliasedT = TypeVar("AliasedT", Organization, Team)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Tables:
    """The rows and their indexes. Each row has the revision of its last change."""

    bare_ids_for: str | None
    """The issuer of rows that name none."""
    everyone: Budget = NO_BUDGET
    """What everyone may spend together, which no row says."""
    organizations: Sharded[str, Organization] = field(default_factory=Sharded)
    organization_aliases: Sharded[str, tuple[Organization, ...]] = field(default_factory=Sharded)
    teams: Sharded[str, Team] = field(default_factory=Sharded)
    team_aliases: Sharded[str, tuple[Team, ...]] = field(default_factory=Sharded)
    users: Sharded[str, User] = field(default_factory=Sharded)
    identities: Sharded[tuple[str, str], User] = field(default_factory=Sharded)
    sso_ids: Sharded[str, User] = field(default_factory=Sharded)
    """Of several users with one id, the one with the least directory id by code points; so for `emails`."""
    emails: Sharded[str, User] = field(default_factory=Sharded)
    end_users: Sharded[str, EndUser] = field(default_factory=Sharded)

    def holding(self, rows: Rows, revision: int) -> Tables:
        """These rows alone. A row that is as it was keeps its revision; the others have this one.

        Raises ValueError, which names both rows, for two of one id or identity.
        """
        organizations = _by_id("organization", rows.organizations, self.organizations, revision)
        teams = _by_id("team", map(_frozen, rows.teams), self.teams, revision)
        users = _by_id("user", rows.users, self.users, revision)
        in_order = [users[user_id] for user_id in sorted(users)]
        return Tables(
            bare_ids_for=self.bare_ids_for,
            everyone=self.everyone,
            organizations=Sharded(organizations),
            organization_aliases=Sharded(_by_alias(organizations.values())),
            teams=Sharded(teams),
            team_aliases=Sharded(_by_alias(teams.values())),
            users=Sharded(users),
            identities=Sharded(self._by_identity(users.values())),
            sso_ids=Sharded(_first(in_order, _sso_ids)),
            emails=Sharded(_first(in_order, _addresses)),
            end_users=Sharded(_by_id("end user", rows.end_users, self.end_users, revision)),
        )

    def with_user(self, user: User, revision: int) -> Tables:
        """All rows, and this user: a new one, or another state of one with the same identities and addresses.

        Its identities are those of no other user.
        """
        user = replace(user, revision=str(revision))
        return replace(
            self,
            users=self.users.changed({user.id: user}),
            identities=self.identities.changed(dict.fromkeys(self.identities_of(user), user)),
            sso_ids=self.sso_ids.changed(_led(user, _sso_ids(user), self.sso_ids)),
            emails=self.emails.changed(_led(user, _addresses(user), self.emails)),
        )

    def with_team(self, team: Team, revision: int) -> Tables:
        """All rows, and this team, which is new."""
        team = _stamped(_frozen(team), revision)
        others = self.team_aliases.get(team.alias) or ()
        return replace(
            self,
            teams=self.teams.changed({team.id: team}),
            team_aliases=self.team_aliases.changed({team.alias: (*others, team)} if team.alias else {}),
        )

    def identities_of(self, user: User) -> tuple[tuple[str, str], ...]:
        """The (issuer name, subject) pairs that find the user: its own, or else its id with the only issuer."""
        if user.identities or self.bare_ids_for is None:
            return user.identities
        return ((self.bare_ids_for, user.id),)

    def budget(self, owner: BudgetOwner) -> Budget | None:
        """The budget of that owner, which may set no maximum; None when there is no such row.

        A member's place has no period of its own: its budget begins anew with the team's.
        """
        if owner.kind is BudgetKind.MEMBER:
            team = self.teams.get(owner.team)
            member = None if team is None else team.members.get(owner.id)
            if team is None or member is None:
                return None
            return Budget(member.max_budget_micro_usd, team.limit.budget_reset_seconds)
        if owner.team:
            return None
        if owner.kind is BudgetKind.GLOBAL:
            return None if owner.id else self.everyone
        row = self._row(owner.kind, owner.id)
        return None if row is None else Budget(row.limit.max_budget_micro_usd, row.limit.budget_reset_seconds)

    def _row(self, kind: BudgetKind, row_id: str) -> Organization | Team | User | EndUser | None:
        match kind:
            case BudgetKind.ORGANIZATION:
                return self.organizations.get(row_id)
            case BudgetKind.TEAM:
                return self.teams.get(row_id)
            case BudgetKind.USER:
                return self.users.get(row_id)
            case BudgetKind.END_USER:
                return self.end_users.get(row_id)
            case _:
                return None

    def _by_identity(self, users: Iterable[User]) -> dict[tuple[str, str], User]:
        found: dict[tuple[str, str], User] = {}
        for user in users:
            for identity in self.identities_of(user):
                other = found.setdefault(identity, user)
                if other is not user:
                    issuer, subject = identity
                    raise ValueError(
                        f"users {other.id!r} and {user.id!r} have one identity: issuer {issuer!r}, subject {subject!r}"
                    )
        return found


def _by_id(kind: str, rows: Iterable[RowT], before: Sharded[str, RowT], revision: int) -> dict[str, RowT]:
    found: dict[str, RowT] = {}
    for number, row in enumerate(rows, start=1):
        if not row.id:
            raise ValueError(f"{kind} {number}: the id is empty")
        if row.id in found:
            first = list(found).index(row.id) + 1
            raise ValueError(f"{kind} {row.id!r} is there twice: as {kind} {first} and as {kind} {number}")
        old = before.get(row.id)
        if old is not None and replace(row, revision=old.revision) == old:
            found[row.id] = old
        else:
            found[row.id] = _stamped(row, revision)
    return found


def _stamped(row: RowT, revision: int) -> RowT:
    """The row as of that revision, and the places of a team with it."""
    row = replace(row, revision=str(revision))
    if not isinstance(row, Team) or not row.members:
        return row
    members = {user: replace(place, revision=row.revision) for user, place in row.members.items()}
    return replace(row, members=MappingProxyType(members))


def _by_alias(rows: Iterable[AliasedT]) -> dict[str, tuple[AliasedT, ...]]:
    found: dict[str, list[AliasedT]] = {}
    for row in rows:
        if row.alias:
            found.setdefault(row.alias, []).append(row)
    return {alias: tuple(same) for alias, same in found.items()}


def _first(users: Iterable[User], keys_of: Callable[[User], Iterable[str]]) -> dict[str, User]:
    found: dict[str, User] = {}
    for user in users:
        for key in keys_of(user):
            found.setdefault(key, user)
    return found


def _led(user: User, keys: Iterable[str], leaders: Sharded[str, User]) -> dict[str, User]:
    """The user under those of the keys under which no user with a lesser id is found."""
    return {key: user for key in keys if (leader := leaders.get(key)) is None or user.id <= leader.id}


def _sso_ids(user: User) -> tuple[str, ...]:
    return user.sso_ids


def _addresses(user: User) -> tuple[str, ...]:
    return (user.email,) if user.email else ()


def _frozen(team: Team) -> Team:
    """The team with copies of its mappings, which nobody else can change."""
    return replace(
        team,
        members=MappingProxyType(dict(team.members)),
        model_aliases=MappingProxyType(dict(team.model_aliases)),
    )
