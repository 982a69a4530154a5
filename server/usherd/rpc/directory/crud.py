"""Gets, lists, makes, changes and deletes rows of one kind: the same for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from usherd.calls import Call
from usherd.errors import EtagMismatch, FieldInvalid, NotFound
from usherd.rpc.deadline import Answer
from usherd.rpc.directory import paging, requests, revisions
from usherd.rpc.directory.fields import etag_of
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.nouns import Noun
from usherd.rpc.directory.rows import changed
from usherd.store import Applied, Edit, Op, Request, Row, RowId, Store, Stored
from usherd.turns import Turn

MOST_BYTES = 1024 * 1024
"""A page ends with the row that makes it as long as that: every client takes it (4 MiB, unless told otherwise)."""
TRIES = 16
"""How often a change of some fields begins anew because others have changed the row meanwhile."""

_NEVER = "-"
"""An etag that no row has."""


class Crud:
    """The methods of one noun, each from bytes to bytes."""

    def __init__(self, noun: Noun, kept: KeptDirectory) -> None:
        self._noun = noun
        self._kept = kept

    def methods(self) -> dict[str, Answer]:
        """By name in the contract."""
        noun = self._noun
        found: dict[str, Answer] = {
            f"Get{noun.name}": self._get,
            f"List{noun.plural}": self._list,
            f"Create{noun.name}": self._create,
            f"Update{noun.name}": self._update,
            f"Delete{noun.name}": self._delete,
        }
        if "blocked" in noun.readers:
            found |= {f"Block{noun.name}": self._blocking(True), f"Unblock{noun.name}": self._blocking(False)}
        return found

    async def _get(self, data: bytes, call: Call, seconds: float) -> bytes:
        noun, store = self._noun, self._kept.opened()
        row_id = noun.named(requests.read(noun.message("Get{}Request"), data))
        # Before the row: what is answered is at least as new as its revision says.
        head = await store.head()
        [stored] = await store.get(noun.kind, [row_id])
        if stored is None:
            raise NotFound
        return self._answer("Get{}Response", stored, revisions.told(store, head))

    async def _list(self, data: bytes, call: Call, seconds: float) -> bytes:
        noun, store = self._noun, self._kept.opened()
        request = requests.read(getattr(noun.module, f"List{noun.plural}Request"), data)
        size, after = paging.size_of(request), paging.after(call.method, request)
        if after and len(after) != len(noun.keys):
            raise FieldInvalid("page_token", "one of this list")
        page = await store.page(noun.kind, noun.wanted(request), after=after, limit=size)
        answer = getattr(noun.module, f"List{noun.plural}Response")(revision=revisions.told(store, page.revision))
        listed, more, length = getattr(answer, noun.fields), page.more, 0
        turn = Turn(time.monotonic)
        for stored in page.rows:
            if length >= MOST_BYTES:
                more = True
                break
            listed.append(noun.show(stored.row, stored.etag))
            length += listed[-1].ByteSize()
            await turn.maybe_yield()
        last = tuple(getattr(listed[-1], key) for key in noun.keys) if more and listed else ()
        answer.next_page_token = paging.token(call.method, request, last)
        return bytes(answer.SerializeToString(deterministic=True))

    async def _create(self, data: bytes, call: Call, seconds: float) -> bytes:
        noun, store = self._noun, self._kept.opened()
        request = requests.read(noun.message("Create{}Request"), data)
        message = self._row_in(request)
        if message.etag:
            raise FieldInvalid(f"{noun.field}.etag", "nothing")
        row = noun.whole(message, noun.field, self._kept.names())
        edit = Edit(Op.CREATE, noun.kind, noun.id_of(message, noun.field), row)
        return self._written("Create{}Response", store, await store.apply([edit], requests.identified(request, call)))

    async def _update(self, data: bytes, call: Call, seconds: float) -> bytes:
        noun, store = self._noun, self._kept.opened()
        request = requests.read(noun.message("Update{}Request"), data)
        message, names = self._row_in(request), self._kept.names()
        row_id, etag = noun.id_of(message, noun.field), noun.etag(message, noun.field)
        identified = requests.identified(request, call)
        if request.HasField("update_mask"):
            values = noun.some(message, noun.field, list(request.update_mask.paths), names)
            applied = await self._change(store, row_id, etag, lambda row: changed(row, values), identified)
        else:
            edit = Edit(Op.UPDATE, noun.kind, row_id, noun.whole(message, noun.field, names), etag)
            applied = await store.apply([edit], identified)
        return self._written("Update{}Response", store, applied)

    async def _delete(self, data: bytes, call: Call, seconds: float) -> bytes:
        noun, store = self._noun, self._kept.opened()
        request = requests.read(noun.message("Delete{}Request"), data)
        edit = Edit(Op.DELETE, noun.kind, noun.named(request), None, etag_of(request.etag, "etag"))
        applied = await store.apply([edit], requests.identified(request, call))
        answer = noun.message("Delete{}Response")(revision=revisions.told(store, applied.revision))
        return bytes(answer.SerializeToString(deterministic=True))

    def _blocking(self, blocked: bool) -> Answer:
        form = "Block{}" if blocked else "Unblock{}"

        async def answer(data: bytes, call: Call, seconds: float) -> bytes:
            noun, store = self._noun, self._kept.opened()
            request = requests.read(noun.message(f"{form}Request"), data)
            row_id, identified = noun.named(request), requests.identified(request, call)
            applied = await self._change(store, row_id, "", lambda row: changed(row, {"blocked": blocked}), identified)
            return self._written(f"{form}Response", store, applied)

        return answer

    async def _change(
        self, store: Store, row_id: RowId, etag: str, change: Callable[[Row], Row], identified: Request | None
    ) -> Applied:
        """Changes a row as it is now. What others change meanwhile is neither lost nor taken back."""
        noun = self._noun
        for _ in range(TRIES):
            [stored] = await store.get(noun.kind, [row_id])
            if stored is None and identified is None:
                raise NotFound
            # A request that was made before is answered as it was, even if the row is gone since: the store knows.
            row, now = (noun.blank(row_id), _NEVER) if stored is None else stored
            edit = Edit(Op.UPDATE, noun.kind, row_id, change(row), etag or now)
            try:
                return await store.apply([edit], identified)
            except EtagMismatch:
                if etag:
                    raise
        raise EtagMismatch

    def _row_in(self, request: Any) -> Any:
        if not request.HasField(self._noun.field):
            raise FieldInvalid(self._noun.field, "a row")
        return getattr(request, self._noun.field)

    def _written(self, form: str, store: Store, applied: Applied) -> bytes:
        stored = applied.rows[0] if applied.rows else None
        return self._answer(form, stored, revisions.told(store, applied.revision))

    def _answer(self, form: str, stored: Stored | None, revision: str) -> bytes:
        noun = self._noun
        answer = noun.message(form)(revision=revision)
        if stored is not None:
            getattr(answer, noun.field).CopyFrom(noun.show(stored.row, stored.etag))
        return bytes(answer.SerializeToString(deterministic=True))
