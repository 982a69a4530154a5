"""What was gathered for questions, as the core reads it: just the rows that they want, all of one revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from usherd.changes import Lookup, Sought, lookup_of
from usherd.domain import SESSION_ISSUER
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, EndUser, Membership, Organization, Team, User
from usherd.history import History
from usherd.stores.sql.snapshot import Found

RowT = TypeVar("RowT")

_OWNERS = {
    BudgetKind.ORGANIZATION: Sought.ORGANIZATION,
    BudgetKind.USER: Sought.USER,
    BudgetKind.END_USER: Sought.END_USER,
}


class NotWanted(Exception):
    """A row was looked for that was not wanted: nobody knows whether there is one. A bug, and never an absent row."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SqlFacts:
    """Rows at one revision. It never changes. Whatever is looked for and was not wanted raises NotWanted."""

    store: str
    revision: int
    history: History
    bare_ids_for: str | None
    """The issuer of rows that name none."""
    found: Mapping[Lookup, Found] = field(repr=False)

    def user(self, issuer: str, subject: str) -> User | None:
        """As `ports.Facts.user`. An identity that a row names goes before a row whose id is the subject."""
        row = self._one(Lookup(Sought.USER_IDENTITY, (issuer, subject)), User)
        if row is None and issuer == self.bare_ids_for:
            row = self.user_by_id(subject)
            row = None if row is None or row.identities else row
        return row

    def user_by_id(self, user_id: str) -> User | None:
        """As `ports.Facts.user_by_id`."""
        return self._one(Lookup(Sought.USER, (user_id,)), User)

    def user_by_sso(self, sso_id: str) -> User | None:
        """As `ports.Facts.user_by_sso`."""
        return self._one(Lookup(Sought.USER_SSO, (sso_id,)), User)

    def user_by_email(self, email: str) -> User | None:
        """As `ports.Facts.user_by_email`."""
        return self._one(Lookup(Sought.USER_EMAIL, (email,)), User)

    def team(self, issuer: str, team_id: str) -> Team | None:
        """As `ports.Facts.team`."""
        team = self._team(team_id)
        return team if team is not None and self._may_claim(issuer, team) else None

    def teams_by_alias(self, issuer: str, alias: str) -> Sequence[Team]:
        """As `ports.Facts.teams_by_alias`."""
        teams = self._all(Lookup(Sought.TEAM_ALIAS, ("", alias)), Team)
        return tuple(team for team in teams if self._may_claim(issuer, team))

    def member(self, team_id: str, user_id: str) -> Membership | None:
        """As `ports.Facts.member`. A user's row names the teams in which it has a place."""
        user = self.user_by_id(user_id)
        if user is None or team_id not in user.teams or self._team(team_id) is None:
            return None
        return self._one(Lookup(Sought.MEMBERSHIP, (team_id, user_id)), Membership)

    def organization(self, organization_id: str) -> Organization | None:
        """As `ports.Facts.organization`."""
        return self._one(Lookup(Sought.ORGANIZATION, (organization_id,)), Organization)

    def organizations_by_alias(self, alias: str) -> Sequence[Organization]:
        """As `ports.Facts.organizations_by_alias`."""
        return self._all(Lookup(Sought.ORGANIZATION_ALIAS, (alias,)), Organization)

    def end_user(self, end_user_id: str) -> EndUser | None:
        """As `ports.Facts.end_user`."""
        return self._one(Lookup(Sought.END_USER, (end_user_id,)), EndUser)

    def budget(self, owner: BudgetOwner) -> BudgetState:
        """As `ports.Facts.budget`."""
        if owner.kind is not BudgetKind.GLOBAL and self._maximum(owner) is None:
            return BudgetState.WITHIN
        state = self._look(lookup_of(owner))
        if not isinstance(state, BudgetState):
            raise NotWanted
        return state

    def _maximum(self, owner: BudgetOwner) -> int | None:
        if owner.kind is BudgetKind.MEMBER:
            place = self.member(owner.team, owner.id)
            return None if place is None else place.max_budget_micro_usd
        if owner.team:
            return None
        key = ("", owner.id) if owner.kind is BudgetKind.TEAM else (owner.id,)
        row = self._look(Lookup(_OWNERS.get(owner.kind, Sought.TEAM), key))
        return row.limit.max_budget_micro_usd if isinstance(row, Organization | Team | User | EndUser) else None

    def _team(self, team_id: str) -> Team | None:
        return self._one(Lookup(Sought.TEAM, ("", team_id)), Team)

    def _may_claim(self, issuer: str, team: Team) -> bool:
        # Sessions name no teams: whatever is looked up for them comes from the user's row, or is the default.
        return issuer in (team.issuer if team.issuer is not None else self.bare_ids_for, SESSION_ISSUER)

    def _one(self, key: Lookup, kind: type[RowT]) -> RowT | None:
        row = self._look(key)
        if row is None or isinstance(row, kind):
            return row
        raise NotWanted

    def _all(self, key: Lookup, kind: type[RowT]) -> tuple[RowT, ...]:
        rows = self._look(key)
        return tuple(row for row in rows if isinstance(row, kind)) if isinstance(rows, tuple) else ()

    def _look(self, key: Lookup) -> Found:
        if not key.key[-1] and key.sought is not Sought.BUDGET:
            # No row has an empty id, and an alias or address that is empty is none.
            return None
        try:
            return self.found[key]
        except KeyError:
            raise NotWanted from None
