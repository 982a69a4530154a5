"""Compares the rows of a file with those of a store, and says which edits make the store as the file says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from usherd.changes import RowKind
from usherd.domain import Limit
from usherd.facts import Membership, Rows, User
from usherd.store import Edit, Op, Place, Row, RowId, Stored

KINDS = (RowKind.ORGANIZATION, RowKind.TEAM, RowKind.USER, RowKind.MEMBERSHIP, RowKind.END_USER)
"""What a file can say something of, in the order in which rows are made: each names only those before it."""

Key = tuple[RowKind, RowId]
KeptRows = Mapping[Key, Stored]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one row."""

    op: Op
    kind: RowKind
    id: RowId
    before: Row | None = None
    after: Row | None = None
    etag: str = ""

    def fields(self) -> Iterator[tuple[str, Any, Any]]:
        """(field, before, after) of each field that changes."""
        before, after = dict(_flat(self.before)), dict(_flat(self.after))
        for name in {**before, **after}:
            if before.get(name) != after.get(name):
                yield name, before.get(name), after.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is to be done, in an order in which no row ever names one that is not there."""

    steps: tuple[Step, ...]
    unchanged: int
    """Rows of the file that are so already."""

    def count(self, op: Op) -> int:
        """How many rows are made, changed or deleted."""
        return sum(step.op is op for step in self.steps)

    def edits(self) -> list[Edit]:
        """The edits, in order."""
        return [*_released(self.steps), *_edits(self.steps)]


def planned(file: Rows, kept: KeptRows, *, prune: bool) -> Plan:
    """The way from what is kept to what the file says.

    Rows that the file does not have stay, unless `prune`. Places are part of their user: those of the file's users are
    as the file says, with or without.
    """
    wanted = dict(keyed(file))
    users, teams = {row.id for row in file.users}, {row.id for row in file.teams}
    makes, deletes, unchanged = list[Step](), list[Step](), 0
    for (kind, row_id), row in wanted.items():
        stored = kept.get((kind, row_id))
        if stored is not None and kind is RowKind.MEMBERSHIP and row_id[0] not in teams:
            # What a place is, says the team's list of members, which is not in this file.
            row = stored.row
        if stored is None:
            makes.append(Step(op=Op.CREATE, kind=kind, id=row_id, after=row))
        elif canonical(stored.row) != row:
            before = canonical(stored.row)
            makes.append(Step(op=Op.UPDATE, kind=kind, id=row_id, before=before, after=row, etag=stored.etag))
        else:
            unchanged += 1
    for (kind, row_id), stored in kept.items():
        left = kind is RowKind.MEMBERSHIP and row_id[1] in users
        if (kind, row_id) not in wanted and (prune or left):
            deletes.append(Step(op=Op.DELETE, kind=kind, id=row_id, before=canonical(stored.row), etag=stored.etag))
    makes.sort(key=lambda step: (KINDS.index(step.kind), step.id))
    deletes.sort(key=lambda step: (-KINDS.index(step.kind), step.id))
    return Plan(steps=(*makes, *deletes), unchanged=unchanged)


def missing(file: Rows, kept: KeptRows, *, prune: bool) -> list[str]:
    """What rows of the file name that is neither in it nor, unless `prune` deletes it, in the store: one line each."""
    there = {key for key, _ in keyed(file)} | (set() if prune else set(kept))
    where = "in the file, which says with --prune all that there is" if prune else "in the file or on the server"
    return [
        f"{owner} names the {kind.name.lower()} {name!r}; expected it {where}"
        for owner, kind, name in _names(file)
        if (kind, (name,)) not in there
    ]


def _names(file: Rows) -> Iterator[tuple[str, RowKind, str]]:
    for team in file.teams:
        if team.organization:
            yield f"team {team.id!r}", RowKind.ORGANIZATION, team.organization
        for user_id in team.members:
            yield f"team {team.id!r}", RowKind.USER, user_id
    for user in file.users:
        for name in user.teams:
            yield f"user {user.id!r}", RowKind.TEAM, name
        for name in user.organizations:
            yield f"user {user.id!r}", RowKind.ORGANIZATION, name


def keyed(rows: Rows) -> Iterator[tuple[Key, Row]]:
    """The rows of a file as a store keeps them, by kind and id."""
    places: dict[RowId, Membership] = {}
    for row in rows.organizations:
        yield (RowKind.ORGANIZATION, (row.id,)), canonical(row)
    for team in rows.teams:
        places |= {(team.id, user): place for user, place in team.members.items()}
        yield (RowKind.TEAM, (team.id,)), canonical(replace(team, members={}))
    for user in rows.users:
        for name in user.teams:
            places.setdefault((name, user.id), Membership())
        yield (RowKind.USER, (user.id,)), canonical(user)
    for place_id, place in places.items():
        yield (RowKind.MEMBERSHIP, place_id), Place(team=place_id[0], user=place_id[1], place=place)
    for end_user in rows.end_users:
        yield (RowKind.END_USER, (end_user.id,)), canonical(end_user)


def gathered(kept: Iterable[Stored]) -> Rows:
    """Rows of a store as a file has them: each place with its user, and what it limits with its team."""
    rows: dict[str, list[Any]] = {"Organization": [], "Team": [], "User": [], "EndUser": [], "Place": []}
    for stored in kept:
        rows[type(stored.row).__name__].append(stored.row)
    teams: dict[str, list[str]] = {}
    members: dict[str, dict[str, Membership]] = {}
    for place in rows["Place"]:
        teams.setdefault(place.user, []).append(place.team)
        members.setdefault(place.team, {})[place.user] = place.place
    return Rows(
        organizations=tuple(rows["Organization"]),
        teams=tuple(replace(team, members=members.get(team.id, {})) for team in rows["Team"]),
        users=tuple(replace(user, teams=tuple(sorted(teams.get(user.id, ())))) for user in rows["User"]),
        end_users=tuple(rows["EndUser"]),
    )


def canonical(row: Any) -> Row:
    """The row without what says nothing: the order of sets, its revision, and a user's teams, which are places."""
    changes: dict[str, Any] = {"revision": ""} if hasattr(row, "revision") else {}
    for name in ("identities", "sso_ids", "organizations", "administers"):
        if hasattr(row, name):
            changes[name] = tuple(sorted(set(getattr(row, name))))
    if isinstance(row, User):
        changes["teams"] = ()
    found: Row = replace(row, **changes)
    return found


def _released(steps: Iterable[Step]) -> Iterator[Edit]:
    """Identities that go from one user to another have to be free before they are taken."""
    steps = [step for step in steps if step.kind is RowKind.USER]
    taken = {each for step in steps if isinstance(step.after, User) for each in step.after.identities}
    for step in steps:
        before, after = step.before, step.after
        if not isinstance(before, User):
            continue
        own = after.identities if isinstance(after, User) else ()
        left = tuple(each for each in before.identities if each in own or each not in taken)
        if left != before.identities:
            yield Edit(Op.UPDATE, step.kind, step.id, replace(before, identities=left), step.etag)


def _edits(steps: Iterable[Step]) -> Iterator[Edit]:
    steps = tuple(steps)
    released = {(edit.kind, edit.id) for edit in _released(steps)}
    for step in steps:
        # The etag was good for the first of two edits.
        etag = "" if (step.kind, step.id) in released else step.etag
        yield Edit(step.op, step.kind, step.id, step.after, etag)


def _flat(row: Row | None) -> Iterator[tuple[str, Any]]:
    """The fields of a row that say something, those of its limit and place one by one."""
    if row is None:
        return
    for each in fields(row):
        value = getattr(row, each.name)
        if isinstance(value, Limit | Membership):
            yield from _flat(value)  # type: ignore[arg-type]
        elif value is not None and value is not False and (value not in ((), "", {}) or each.name == "models"):
            yield each.name, value
