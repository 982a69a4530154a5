"""Writes and reads revisions of a store, in the form that decisions have them."""

from __future__ import annotations

from usherd.errors import FieldInvalid, InvalidRequest, Precondition
from usherd.rpc.translate import revision_of
from usherd.store import Store


def told(store: Store, revision: int) -> str:
    """A revision as callers get it."""
    return f"{store.id}:{revision}"


def after(store: Store, text: str, field: str) -> int:
    """The number of a revision that this store gave out.

    Raises FieldInvalid for what is none, Precondition for one of another store.
    """
    try:
        owner, number = revision_of(text)
    except InvalidRequest:
        owner, number = "", -1
    if number < 0:
        raise FieldInvalid(field, "a revision that was answered")
    if owner != store.id:
        raise Precondition
    return number
