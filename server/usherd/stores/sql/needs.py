"""Which look-ups questions take: those that they name, and those that the rows name that these find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from usherd.changes import Lookup, Sought, lookup_of
from usherd.domain import SESSION_ISSUER
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Membership, Organization, Team, User
from usherd.ports import Wanted
from usherd.stores.sql.entity_map import Unknown
from usherd.stores.sql.snapshot import Found

Get = Callable[[Lookup], Found | Unknown]
"""What a look-up finds, or UNKNOWN."""

RowT = TypeVar("RowT")

EVERYONE = lookup_of(BudgetOwner(BudgetKind.GLOBAL))


class Gathered(NamedTuple):
    """What is known of what questions need."""

    found: dict[Lookup, Found]
    missing: tuple[Lookup, ...]
    """What is to be loaded next; what it finds may name more. Empty: nothing is missing."""


def gather(wanted: Sequence[Wanted], bare_ids_for: str | None, get: Get) -> Gathered:
    """What these questions need, under a policy whose only issuer has that name (None: it has several).

    It has all that they may read: a row in every way in which they may look for it, and the places and budgets of all
    rows. What can be told from a row is not looked up: a place that the user's row does not name, a budget without a
    maximum.
    """
    gathering = _Gathering(bare_ids_for, get)
    gathering.look(EVERYONE)
    for (issuer, user, email), theirs in _by_holder(wanted).items():
        gathering.holder(issuer, user, email, theirs)
    return Gathered(gathering.found, tuple(gathering.missing))


def _by_holder(wanted: Iterable[Wanted]) -> dict[tuple[str, str | None, str | None], list[Wanted]]:
    """A batch has many questions about few holders, and most of them want the same."""
    found: dict[tuple[str, str | None, str | None], list[Wanted]] = {}
    for each in dict.fromkeys(wanted):
        found.setdefault((each.issuer, each.user, each.email), []).append(each)
    return found


class _Gathering:
    def __init__(self, bare_ids_for: str | None, get: Get) -> None:
        self.found: dict[Lookup, Found] = {}
        self.missing: dict[Lookup, None] = {}
        self._bare_ids_for = bare_ids_for
        self._get = get

    def look(self, key: Lookup) -> Found:
        """What the look-up finds; None, and noted as missing, when that is not at hand."""
        found = self.found.get(key)
        if found is not None:
            return found
        known = self._get(key)
        if isinstance(known, Unknown):
            self.missing[key] = None
            return None
        self.found[key] = known
        return known

    def holder(self, issuer: str, user: str | None, email: str | None, wanted: Sequence[Wanted]) -> None:
        """What the questions of one holder need."""
        users = self._users(issuer, user, email)
        teams = {name for each in wanted for name in each.teams}
        organizations = {name for each in wanted for name in each.organizations}
        for alias in {alias for each in wanted for alias in each.team_aliases if alias}:
            for named in self._named(Sought.TEAM_ALIAS, ("", alias), Team):
                self.found[Lookup(Sought.TEAM, ("", named.id))] = named
                teams.add(named.id)
        for alias in {each.organization_alias for each in wanted if each.organization_alias}:
            for owner in self._named(Sought.ORGANIZATION_ALIAS, (alias,), Organization):
                self.found[Lookup(Sought.ORGANIZATION, (owner.id,))] = owner
                organizations.add(owner.id)
        for row in users:
            teams.update(row.teams)
            organizations.update(row.organizations)
            self._budget(BudgetKind.USER, row)
        for name in teams:
            organizations.update(self._team(name, users))
        for name in organizations:
            self._budget(BudgetKind.ORGANIZATION, self._row(Sought.ORGANIZATION, (name,), Organization))
        for name in {each.end_user for each in wanted if each.end_user}:
            self._budget(BudgetKind.END_USER, self._row(Sought.END_USER, (name,), EndUser))

    def _users(self, issuer: str, user: str | None, email: str | None) -> list[User]:
        """Everybody whom the holder may turn out to be. A further way is tried where those before find nobody."""
        rows: list[User | None] = []
        if user:
            rows = [self._by_name(issuer, user)]
            if rows == [None] and issuer != SESSION_ISSUER and not self.missing.keys() & self._ways(issuer, user):
                rows += [self._row(Sought.USER, (user,), User), self._row(Sought.USER_SSO, (user,), User)]
                rows += [self._row(Sought.USER_EMAIL, (email,), User)] if email else []
        elif email:
            rows = [self._row(Sought.USER_EMAIL, (email,), User)]
        users = {each.id: each for each in rows if each is not None}
        self.found |= {Lookup(Sought.USER, (each.id,)): each for each in users.values()}
        return list(users.values())

    def _by_name(self, issuer: str, user: str) -> User | None:
        if issuer == SESSION_ISSUER:
            return self._row(Sought.USER, (user,), User)
        row = self._row(Sought.USER_IDENTITY, (issuer, user), User)
        if row is None and issuer == self._bare_ids_for:
            row = self._row(Sought.USER, (user,), User)
            row = None if row is None or row.identities else row
        return row

    def _ways(self, issuer: str, user: str) -> tuple[Lookup, ...]:
        return Lookup(Sought.USER_IDENTITY, (issuer, user)), Lookup(Sought.USER, (user,))

    def _team(self, name: str, users: Iterable[User]) -> tuple[str, ...]:
        """What a team takes, with its users' places in it; the name of its organization, if it has one."""
        team = self._row(Sought.TEAM, ("", name), Team)
        if team is None:
            return ()
        self._budget(BudgetKind.TEAM, team)
        for user in users:
            if name in user.teams:
                place = self._row(Sought.MEMBERSHIP, (name, user.id), Membership)
                if place is not None and place.max_budget_micro_usd is not None:
                    self.look(lookup_of(BudgetOwner(BudgetKind.MEMBER, user.id, name)))
        return (team.organization,) if team.organization else ()

    def _budget(self, kind: BudgetKind, row: Organization | Team | User | EndUser | None) -> None:
        if row is not None and row.limit.max_budget_micro_usd is not None:
            self.look(lookup_of(BudgetOwner(kind, row.id)))

    def _row(self, sought: Sought, key: tuple[str, ...], kind: type[RowT]) -> RowT | None:
        found = self.look(Lookup(sought, key))
        return found if isinstance(found, kind) else None

    def _named(self, sought: Sought, key: tuple[str, ...], kind: type[RowT]) -> list[RowT]:
        found = self.look(Lookup(sought, key))
        return [row for row in found if isinstance(row, kind)] if isinstance(found, tuple) else []
