"""Manages the directory of a server that runs elsewhere, for the command line: rows in, rows out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from usher.v1 import edit_pb2, membership_pb2
from usherd.changes import RowKind
from usherd.errors import NotFound, OutOfTime, Unavailable
from usherd.rpc import replies
from usherd.rpc.dial import Connection
from usherd.rpc.directory.nouns import MEMBERSHIP, NOUNS, Noun
from usherd.rpc.directory.rows import Names
from usherd.rpc.names import DIRECTORY
from usherd.rpc.options import MAX_REQUEST
from usherd.store import Edit, Filter, Op, Row, RowId, Stored

PAGE = 1000
BATCH = 500
"""Edits in one transaction, so that it is over long before its time is."""
TRIES = 4
"""How often a transaction is sent whose answer does not come."""
WAIT = 0.5
"""Seconds before it is sent again."""

_OF_KIND = {noun.kind: noun for noun in NOUNS}
_ROOM = MAX_REQUEST - 4096
"""Bytes of the edits in one request."""
_FILTERS = {
    "prefix": ("id_prefix", "name_prefix"),
    "alias": ("alias",),
    "organization": ("organization_id",),
    "team": ("team_id",),
    "user": ("user_id",),
    "issuer": ("issuer",),
    "email": ("email",),
    "blocked": ("blocked",),
}


class _Anything(frozenset[str]):
    """The issuers of a server, which knows them itself."""

    def __contains__(self, item: object) -> bool:
        return True


_NAMES = Names(_Anything())


class NoSuchFilter(Exception):
    """Rows of that kind are not told apart by that."""


class DirectoryClient:
    """The directory of one server. Everything raises the Fault that the server ended the call with."""

    def __init__(self, connection: Connection, *, timeout: float = 60.0) -> None:
        """`timeout` is how many seconds one call may take."""
        self._connection = connection
        self._timeout = timeout

    async def get(self, kind: RowKind, row_id: RowId) -> Stored | None:
        """One row; None: there is none of that id."""
        noun = _OF_KIND[kind]
        try:
            answer = await self._call(noun, "Get{}", _named(noun, noun.message("Get{}Request")(), row_id))
        except NotFound:
            return None
        return _stored(noun, getattr(answer, noun.field))

    async def rows(self, kind: RowKind, wanted: Filter = Filter()) -> AsyncIterator[Stored]:  # noqa: B008 -- immutable
        """All rows that fit, by id. Raises NoSuchFilter."""
        noun = _OF_KIND[kind]
        request = getattr(noun.module, f"List{noun.plural}Request")(page_size=PAGE, **_filters(noun, wanted))
        while True:
            answer = await self._call(noun, f"List{noun.plural}", request)
            for message in getattr(answer, noun.fields):
                yield _stored(noun, message)
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def apply(self, edits: Sequence[Edit], request_id: str) -> tuple[int, str]:
        """Makes as many of the edits, from the first one on, as one transaction takes; says how many, and the revision.

        It is safe to send the same edits again under the same id, and is done here if no answer comes.
        """
        request, size = edit_pb2.ApplyEditsRequest(request_id=request_id), 0
        for edit in edits[:BATCH]:
            message = _edit(edit)
            size += message.ByteSize() + 8
            if size > _ROOM and request.edits:
                break
            request.edits.append(message)
        for left in reversed(range(TRIES)):
            try:
                answer = await self._send("ApplyEdits", request, edit_pb2.ApplyEditsResponse)
            except (Unavailable, OutOfTime):
                if not left:
                    raise
                await asyncio.sleep(WAIT)
            else:
                break
        return len(request.edits), answer.revision

    async def block(self, kind: RowKind, row_id: RowId, *, blocked: bool) -> str:
        """Blocks a row, or ends that, and returns the revision. Raises NotFound."""
        noun = _OF_KIND[kind]
        form = "Block{}" if blocked else "Unblock{}"
        answer = await self._call(noun, form, _named(noun, noun.message(f"{form}Request")(), row_id))
        revision: str = answer.revision
        return revision

    async def _call(self, noun: Noun, form: str, request: Any) -> Any:
        name = form.format(noun.name)
        return await self._send(name, request, getattr(noun.module, f"{name}Response"))

    async def _send(self, method: str, request: Any, kind: type[Any]) -> Any:
        call = self._connection.channel.unary_unary(
            f"/{DIRECTORY}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=kind.FromString,
        )
        try:
            return await call(request, timeout=self._timeout, metadata=self._connection.metadata)
        except grpc.aio.AioRpcError as error:
            ended = replies.fault(error.code(), tuple(error.trailing_metadata() or ()))
        # Outside of the handler: the library's error has the peer's text in it.
        raise ended


def _stored(noun: Noun, message: Any) -> Stored:
    return Stored(noun.whole(message, noun.field, _NAMES), message.etag)


def _named(noun: Noun, request: Any, row_id: RowId) -> Any:
    if noun is MEMBERSHIP:
        request.name.CopyFrom(membership_pb2.MembershipName(team_id=row_id[0], user_id=row_id[1]))
    else:
        setattr(request, noun.keys[0], row_id[0])
    return request


def _filters(noun: Noun, wanted: Filter) -> dict[str, object]:
    fields = getattr(noun.module, f"List{noun.plural}Request").DESCRIPTOR.fields_by_name
    found: dict[str, object] = {}
    for name, value in wanted._asdict().items():
        if value in ("", None):
            continue
        field = next((each for each in _FILTERS[name] if each in fields), None)
        if field is None:
            raise NoSuchFilter(name)
        found[field] = value
    return found


def _edit(edit: Edit) -> edit_pb2.Edit:
    noun = _OF_KIND[edit.kind]
    if edit.row is None:
        name = edit_pb2.RowName(etag=edit.etag)
        if noun is MEMBERSHIP:
            name.membership.CopyFrom(membership_pb2.MembershipName(team_id=edit.id[0], user_id=edit.id[1]))
        else:
            setattr(name, f"{noun.field}_{noun.keys[0]}", edit.id[0])
        return edit_pb2.Edit(delete=name)
    message = edit_pb2.Edit()
    getattr(message, _FORMS[edit.op]).CopyFrom(_row(noun, edit.row, edit.etag))
    return message


_FORMS = {Op.CREATE: "create", Op.UPDATE: "update", Op.PUT: "put"}


def _row(noun: Noun, row: Row, etag: str) -> edit_pb2.Row:
    message = edit_pb2.Row()
    getattr(message, noun.field).CopyFrom(noun.show(row, etag))
    return message
