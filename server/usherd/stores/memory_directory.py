"""Holds a whole directory in memory and swaps it as one: a reader never sees half of a change."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from usherd.errors import Precondition
from usherd.facts import EndUser, Organization, Rows, Team, User
from usherd.ports import Wanted

STORE_ID_SIZE = 32
"""The most characters a store id may have. It stands before a colon in a revision, so it has no colon itself."""


def new_store_id() -> str:
    """A random store id, for one life of one process.

    Two processes that read the same file count their changes each on its own, so their revisions do not compare;
    different ids say so (FAILED_PRECONDITION) where an id made from the file would hide it.
    """
    return secrets.token_hex(8)


RowT = TypeVar("RowT", Organization, Team, User, EndUser)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryFacts:
    """All rows at one revision. It never changes, so it may be read for as long as one likes."""

    store: str
    revision: int
    bare_ids_for: str | None
    organizations: Mapping[str, Organization] = field(repr=False)
    teams: Mapping[str, Team] = field(repr=False)
    aliases: Mapping[str, tuple[Team, ...]] = field(repr=False)
    users: Mapping[str, User] = field(repr=False)
    identities: Mapping[tuple[str, str], User] = field(repr=False)
    end_users: Mapping[str, EndUser] = field(repr=False)

    def user(self, issuer: str, subject: str) -> User | None:
        """The user with that identity. A user without identities is found by its id, for the only issuer."""
        return self.identities.get((issuer, subject))

    def user_by_id(self, user_id: str) -> User | None:
        """The user with that directory id."""
        return self.users.get(user_id)

    def team(self, issuer: str, team_id: str) -> Team | None:
        """The team of that id which tokens of that issuer may claim."""
        team = self.teams.get(team_id)
        return team if team is not None and self._may_claim(issuer, team) else None

    def teams_by_alias(self, issuer: str, alias: str) -> Sequence[Team]:
        """All teams of that alias which tokens of that issuer may claim."""
        return tuple(team for team in self.aliases.get(alias, ()) if self._may_claim(issuer, team))

    def organization(self, organization_id: str) -> Organization | None:
        """The organization of that id."""
        return self.organizations.get(organization_id)

    def end_user(self, end_user_id: str) -> EndUser | None:
        """The end user of that id."""
        return self.end_users.get(end_user_id)

    def _may_claim(self, issuer: str, team: Team) -> bool:
        owner = team.issuer if team.issuer is not None else self.bare_ids_for
        return owner == issuer


class MemoryDirectory:
    """A directory of rows that somebody else keeps, for instance in a file.

    `bare_ids_for` is the name of the policy's only issuer: rows that name no issuer (users without identities, teams
    without an issuer) belong to it. None, where there are several issuers: such rows are out of reach of every token.
    """

    def __init__(self, store_id: str, rows: Rows, *, bare_ids_for: str | None = None) -> None:
        """Raises ValueError for a store id that is no store id, and as `replace` does."""
        if not 1 <= len(store_id) <= STORE_ID_SIZE or ":" in store_id or not store_id.isascii():
            raise ValueError(f"store id: expected 1 to {STORE_ID_SIZE} ASCII characters without a colon")
        self._facts = _facts(store_id, 1, rows, bare_ids_for, before=None)
        self._changed = asyncio.Event()

    async def facts(self, wanted: Sequence[Wanted]) -> MemoryFacts:
        """All rows, whatever is wanted. It never fails, and never waits."""
        return self._facts

    def at_hand(self) -> MemoryFacts:
        """All rows, as `facts`."""
        return self._facts

    async def reach(self, store: str, revision: int) -> None:
        """Returns when facts are at least of that revision; until then it waits. Raises Precondition."""
        if store != self._facts.store:
            raise Precondition
        while self._facts.revision < revision:
            await self._changed.wait()

    def replace(self, rows: Rows) -> int:
        """Makes these the rows, all at once, and returns the new revision.

        A row that is as it was keeps its own revision. Raises ValueError, which names both rows, for two of one id or
        identity; the directory is then as it was.
        """
        before = self._facts
        self._facts = _facts(before.store, before.revision + 1, rows, before.bare_ids_for, before=before)
        # Whoever waits holds the old event: it wakes them all once, and later comers wait on a fresh one.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        return self._facts.revision


def _facts(store: str, revision: int, rows: Rows, bare_ids_for: str | None, before: MemoryFacts | None) -> MemoryFacts:
    organizations = _by_id("organization", rows.organizations, before.organizations if before else {}, revision)
    teams = _by_id("team", map(_frozen, rows.teams), before.teams if before else {}, revision)
    users = _by_id("user", rows.users, before.users if before else {}, revision)
    end_users = _by_id("end user", rows.end_users, before.end_users if before else {}, revision)
    return MemoryFacts(
        store=store,
        revision=revision,
        bare_ids_for=bare_ids_for,
        organizations=organizations,
        teams=teams,
        aliases=_by_alias(teams.values()),
        users=users,
        identities=_by_identity(users.values(), bare_ids_for),
        end_users=end_users,
    )


def _by_id(kind: str, rows: Iterable[RowT], before: Mapping[str, RowT], revision: int) -> Mapping[str, RowT]:
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
            found[row.id] = replace(row, revision=str(revision))
    return MappingProxyType(found)


def _by_alias(teams: Iterable[Team]) -> Mapping[str, tuple[Team, ...]]:
    found: dict[str, list[Team]] = {}
    for team in teams:
        if team.alias:
            found.setdefault(team.alias, []).append(team)
    return MappingProxyType({alias: tuple(same) for alias, same in found.items()})


def _by_identity(users: Iterable[User], bare_ids_for: str | None) -> Mapping[tuple[str, str], User]:
    found: dict[tuple[str, str], User] = {}
    for user in users:
        identities = user.identities
        if not identities and bare_ids_for is not None:
            identities = ((bare_ids_for, user.id),)
        for identity in identities:
            other = found.setdefault(identity, user)
            if other is not user:
                issuer, subject = identity
                raise ValueError(
                    f"users {other.id!r} and {user.id!r} have one identity: issuer {issuer!r}, subject {subject!r}"
                )
    return MappingProxyType(found)


def _frozen(team: Team) -> Team:
    """The team with copies of its mappings, which nobody else can change."""
    return replace(
        team,
        members=MappingProxyType(dict(team.members)),
        model_aliases=MappingProxyType(dict(team.model_aliases)),
    )
