"""Makes many edits in one step."""

from __future__ import annotations

import time
from typing import Any

from usher.v1 import edit_pb2
from usherd.calls import Call
from usherd.errors import FieldInvalid
from usherd.rpc.directory import requests, revisions
from usherd.rpc.directory.fields import etag_of, id_of
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.nouns import BY_FIELD, MEMBERSHIP, NOUNS, Noun
from usherd.rpc.directory.rows import Names
from usherd.store import Edit, Op, RowId
from usherd.turns import Turn

MAX_EDITS = 1000

_OPS = {"create": Op.CREATE, "update": Op.UPDATE, "put": Op.PUT}


def _named_by(noun: Noun) -> str:
    return noun.field if noun is MEMBERSHIP else f"{noun.field}_{noun.keys[0]}"


_BY_NAME = {_named_by(noun): noun for noun in NOUNS}


class Edits:
    """ApplyEdits, from bytes to bytes."""

    def __init__(self, kept: KeptDirectory) -> None:
        self._kept = kept

    async def apply(self, data: bytes, call: Call, seconds: float) -> bytes:
        """All of them, or none."""
        store, names = self._kept.opened(), self._kept.names()
        request = requests.read(edit_pb2.ApplyEditsRequest, data)
        if not 1 <= len(request.edits) <= MAX_EDITS:
            raise FieldInvalid("edits", f"1 to {MAX_EDITS}")
        edits, turn = [], Turn(time.monotonic)
        for place, each in enumerate(request.edits):
            edits.append(_edit(each, f"edits[{place}]", names))
            await turn.maybe_yield()
        applied = await store.apply(edits, requests.identified(request, call))
        results = [
            edit_pb2.ApplyEditsResponse.Result(etag="" if stored is None else stored.etag) for stored in applied.rows
        ]
        answer = edit_pb2.ApplyEditsResponse(revision=revisions.told(store, applied.revision), results=results)
        return bytes(answer.SerializeToString(deterministic=True))


def _edit(message: Any, field: str, names: Names) -> Edit:
    which = message.WhichOneof("edit")
    if which is None:
        raise FieldInvalid(field, "create, update, put or delete")
    inner, field = getattr(message, which), f"{field}.{which}"
    if which == "delete":
        noun, row_id = _named(inner, field)
        return Edit(Op.DELETE, noun.kind, row_id, None, etag_of(inner.etag, f"{field}.etag"))
    kind = inner.WhichOneof("row")
    if kind is None:
        raise FieldInvalid(field, " or ".join(BY_FIELD))
    noun, row, field = BY_FIELD[kind], getattr(inner, kind), f"{field}.{kind}"
    etag = noun.etag(row, field)
    if etag and which == "create":
        raise FieldInvalid(f"{field}.etag", "nothing")
    return Edit(_OPS[which], noun.kind, noun.id_of(row, field), noun.whole(row, field, names), etag)


def _named(message: Any, field: str) -> tuple[Noun, RowId]:
    which = message.WhichOneof("name")
    if which is None:
        raise FieldInvalid(field, " or ".join(_BY_NAME))
    noun, named, field = _BY_NAME[which], getattr(message, which), f"{field}.{which}"
    return noun, noun.id_of(named, field) if noun is MEMBERSHIP else (id_of(named, field),)
