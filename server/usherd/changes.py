"""What has changed in a directory: which look-ups would find something else than before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from usherd.domain import SESSION_ISSUER, DependencyKind
from usherd.facts import BudgetKind, BudgetOwner, budget_id, organization_key, place_id


class RowKind(IntEnum):
    """What a change is about. The numbers are kept in change logs: none is ever used for another kind."""

    ORGANIZATION = 1
    TEAM = 2
    USER = 3
    MEMBERSHIP = 4
    END_USER = 5
    MODEL = 6
    BUDGET = 7
    REVOCATION = 8
    SESSION = 9


class ChangeKind(IntEnum):
    """What happened to it. Numbers as in `RowKind`."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


class Sought(IntEnum):
    """A way in which something is looked for. Numbers as in `RowKind`."""

    ORGANIZATION = 1
    """(id)"""
    ORGANIZATION_ALIAS = 2
    """(alias)"""
    TEAM = 3
    """(issuer's name, or empty for the only issuer; id)"""
    TEAM_ALIAS = 4
    """(issuer's name, or empty; alias)"""
    USER = 5
    """(id)"""
    USER_IDENTITY = 6
    """(issuer's name, subject)"""
    USER_SSO = 7
    """(single sign-on id)"""
    USER_EMAIL = 8
    """(address)"""
    MEMBERSHIP = 9
    """(team's id, user's id)"""
    END_USER = 10
    """(id)"""
    BUDGET = 11
    """(the name of its BudgetKind in lower case, id, team's id or empty)"""
    MODEL = 12
    """(name)"""
    TOKEN = 13
    """(token id, as in a dependency): one token that was revoked, or is no longer"""
    JTI = 14
    """(issuer's name, jti)"""
    SUBJECT = 15
    """(issuer's name, subject): tokens of theirs that were issued before some moment"""
    ISSUER = 16
    """(issuer's name): all its tokens that were issued before some moment"""
    SESSION = 17
    """(session id)"""
    REVOCATION = 18
    """What an entry of the list of revoked tokens is now, in full (`revocations.told`), beside the look-up of what it
    is about: whoever keeps a copy of the list need not read it again to follow."""

    # As in DependencyKind: lists of revoked tokens are looked up by it for each question.
    __hash__ = int.__hash__


class Lookup(NamedTuple):
    """One look-up, in the words of the directory alone: it means the same under every policy."""

    sought: Sought
    key: tuple[str, ...]


class Change(NamedTuple):
    """One entry of a change log."""

    revision: int
    """All changes of one transaction have one revision."""
    kind: RowKind
    id: str
    """The row's id; of a place, as `place_id` has it; of a budget, as `budget_id`."""
    change: ChangeKind
    lookups: tuple[Lookup, ...]
    """All that find something else since: what the row was found by before, and what it is found by now."""
    committed_at: float
    """Seconds since the epoch, by the clock of whoever wrote it."""


Ref = tuple[DependencyKind, str]
"""What a verdict may depend on: a dependency without its revision."""


@dataclass(frozen=True, slots=True)
class News:
    """What listeners are told: something has changed, and facts of `revision` can be read now."""

    revision: int
    touched: frozenset[Ref] | None
    """Every dependency whose value may be another now. None: any may be."""
    lookups: tuple[Lookup, ...]
    """All that has changed, in the directory's words: what is no dependency, as revocations, too. Empty with None."""
    committed_at: float
    """When the oldest of these changes was made, in seconds since the epoch."""
    told_anew: bool = False
    """With `touched` None: nothing in the directory has changed, and another policy finds it by other words."""


Listening = Callable[[News], None]
"""Hears news, in order, at once and on the event loop; it neither waits nor takes long, and raises nothing."""


def refs_of(lookup: Lookup, bare_ids_for: str | None) -> Iterator[Ref]:
    """The dependencies that this look-up answers under a policy whose only issuer has that name (None: it has several).

    None for what verdicts do not name, as models and revocations.
    """
    key = lookup.key
    match lookup.sought:
        case Sought.ORGANIZATION:
            yield DependencyKind.ORGANIZATION, organization_key(key[0])
        case Sought.ORGANIZATION_ALIAS:
            yield DependencyKind.ORGANIZATION, f"alias:{key[0]}"
        case Sought.TEAM | Sought.TEAM_ALIAS:
            begin = "alias:" if lookup.sought is Sought.TEAM_ALIAS else ""
            # Sessions look for teams of every issuer.
            for issuer in (key[0] or bare_ids_for, SESSION_ISSUER):
                if issuer is not None:
                    yield DependencyKind.TEAM, f"{begin}{issuer}/{key[1]}"
        case Sought.USER:
            yield DependencyKind.USER, f"id:{key[0]}"
            # A user without identities is found by its id.
            if bare_ids_for is not None:
                yield DependencyKind.USER, f"{bare_ids_for}/{key[0]}"
        case Sought.USER_IDENTITY:
            yield DependencyKind.USER, f"{key[0]}/{key[1]}"
        case Sought.USER_SSO:
            yield DependencyKind.USER, f"sso:{key[0]}"
        case Sought.USER_EMAIL:
            yield DependencyKind.USER, f"email:{key[0]}"
        case Sought.MEMBERSHIP:
            yield DependencyKind.MEMBERSHIP, place_id(key[0], key[1])
        case Sought.END_USER:
            yield DependencyKind.END_USER, key[0]
        case Sought.BUDGET:
            owner = BudgetOwner(BudgetKind[key[0].upper()], key[1], key[2])
            yield DependencyKind.BUDGET, budget_id(owner)
        case Sought.TOKEN:
            yield DependencyKind.TOKEN, key[0]
        case _:
            return


def lookup_of(owner: BudgetOwner) -> Lookup:
    """The look-up for a budget's state."""
    return Lookup(Sought.BUDGET, (owner.kind.name.lower(), owner.id, owner.team))
