"""Remembers what was read of the directory: a verdict depends on exactly that."""

from __future__ import annotations

import functools
from typing import TypeVar

from usherd.domain import Dependency, DependencyKind
from usherd.facts import (
    BudgetOwner,
    BudgetState,
    EndUser,
    Membership,
    Organization,
    Team,
    User,
    budget_id,
    organization_key,
    place_id,
)
from usherd.ports import Facts

_STATES = {state: state.name.lower() for state in BudgetState}
_Row = TypeVar("_Row", User, Team, Membership, Organization, EndUser)


class Reading:
    """One question's view of the facts. Every look-up, found or not, becomes a dependency.

    Ids are those that were asked for, with the issuer's name in front where the issuer scopes them: a row that
    appears, changes or goes is found again by the same look-up. No issuer's name has a colon, so that `id:`, `sso:`,
    `email:` and `alias:` begin no other id of a user or team; an organization's id that begins so has `id:` before it.
    """

    __slots__ = ("_facts", "_seen")

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._seen: dict[tuple[DependencyKind, str], Dependency] = {}

    def user(self, issuer: str, subject: str) -> User | None:
        """The user of that issuer and subject."""
        return self._note(DependencyKind.USER, f"{issuer}/{subject}", self._facts.user(issuer, subject))

    def user_by_id(self, user_id: str) -> User | None:
        """The user with that directory id."""
        return self._note(DependencyKind.USER, f"id:{user_id}", self._facts.user_by_id(user_id))

    def user_by_sso(self, sso_id: str) -> User | None:
        """The user with that single sign-on id."""
        return self._note(DependencyKind.USER, f"sso:{sso_id}", self._facts.user_by_sso(sso_id))

    def user_by_email(self, email: str) -> User | None:
        """The user of that address. Dependencies are not for end users, and so may name it."""
        return self._note(DependencyKind.USER, f"email:{email}", self._facts.user_by_email(email))

    def team(self, issuer: str, team_id: str) -> Team | None:
        """The team of that id that the issuer's tokens may claim."""
        return self._note(DependencyKind.TEAM, f"{issuer}/{team_id}", self._facts.team(issuer, team_id))

    def team_by_alias(self, issuer: str, alias: str) -> Team | None:
        """The one team of that alias; None when there is none or more than one."""
        found = self._facts.teams_by_alias(issuer, alias)
        team = found[0] if len(found) == 1 else None
        # The look-up is a dependency of its own: a second team of the alias makes it ambiguous.
        return self._note(DependencyKind.TEAM, f"alias:{issuer}/{alias}", team)

    def member(self, team_id: str, user_id: str) -> Membership | None:
        """The place of that user in that team, both by their ids in the directory."""
        return self._note(DependencyKind.MEMBERSHIP, place_id(team_id, user_id), self._facts.member(team_id, user_id))

    def organization(self, organization_id: str) -> Organization | None:
        """The organization of that id."""
        row = self._facts.organization(organization_id)
        return self._note(DependencyKind.ORGANIZATION, organization_key(organization_id), row)

    def organization_by_alias(self, alias: str) -> Organization | None:
        """The one organization of that alias; None when there is none or more than one."""
        found = self._facts.organizations_by_alias(alias)
        return self._note(DependencyKind.ORGANIZATION, f"alias:{alias}", found[0] if len(found) == 1 else None)

    def budget(self, owner: BudgetOwner) -> BudgetState:
        """The state of the owner's budget, which is the dependency's revision: spend alone changes nothing."""
        state = self._facts.budget(owner)
        read = _budget_dependency(owner, state)
        self._seen.setdefault((read.kind, read.id), read)
        return state

    def end_user(self, end_user_id: str) -> EndUser | None:
        """The end user of that id."""
        return self._note(DependencyKind.END_USER, end_user_id, self._facts.end_user(end_user_id))

    def dependencies(self) -> list[Dependency]:
        """Everything read so far, each once, in the order of reading."""
        return list(self._seen.values())

    def _note(self, kind: DependencyKind, key: str, row: _Row | None) -> _Row | None:
        if (kind, key) not in self._seen:
            revision = "" if row is None else row.revision
            self._seen[kind, key] = Dependency(kind, key, revision, row is None)
        return row


# Each question reads several budgets, most of them of rows that many questions have in common.
@functools.lru_cache(maxsize=8192)
def _budget_dependency(owner: BudgetOwner, state: BudgetState) -> Dependency:
    return Dependency(DependencyKind.BUDGET, budget_id(owner), _STATES[state])
