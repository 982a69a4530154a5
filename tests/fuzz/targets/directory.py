"""The bytes of every call of DirectoryService: rows that may be kept come of them, or a status in constant words.

An input is a byte for the method, and the request's bytes. Behind the real handlers is a store in memory with a small
company, a new one for each input.
"""

from __future__ import annotations

import asyncio
import atexit
import copy
import re
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from fuzz.mutators import changed_text, mutate_bytes
from fuzz.no_waiting import NoWaiting
from fuzz.proto_mutator import mutate_message
from fuzz.target import Target
from tools.directory_world import SERVICE
from tools.memory_store import MemoryStore
from tools.rpc_world import ready
from usherd.calls import Call as Asking
from usherd.cli.directory_plan import canonical
from usherd.errors import (
    AlreadyExists,
    BrokenReference,
    EtagMismatch,
    FaultReason,
    InvalidRequest,
    NotFound,
)
from usherd.rpc.directory.kept import KeptDirectory
from usherd.rpc.directory.nouns import NOUNS, Noun
from usherd.rpc.directory.rows import Names
from usherd.rpc.directory.service import DirectoryService
from usherd.rpc.guard import guarded
from usherd.rpc.limits import Gate, Limits
from usherd.store import Filter

LOOP = NoWaiting()
atexit.register(LOOP.close)
METHODS = [method for method in SERVICE.methods if method.name != "WatchChanges"]
NAMES = Names(("idp", "other"))
ENDINGS = {
    (fault.code.name, fault.message)
    for fault in (
        InvalidRequest(FaultReason.REQUEST_UNDECODABLE),
        InvalidRequest(FaultReason.PAGE_INVALID),
        AlreadyExists(),
        BrokenReference(),
        EtagMismatch(),
        NotFound(),
    )
}
_FIELD = re.compile(r"[a-z_0-9.\[\]]+: expected [a-zA-Z_0-9 ,:.()^-]+")
"""What is said of a field: its path, and a rule. No value."""

COMPANY: list[dict[str, Any]] = [
    {"organization": {"id": "acme", "alias": "A", "model_ceiling": {"only": {"models": ["gpt-*"]}}}},
    {"team": {"id": "a", "issuer": "idp", "organization_id": "acme", "models": {"all": {}}}},
    {"team": {"id": "b", "issuer": "other", "model_aliases": [{"name": "x", "model": "y"}], "blocked": True}},
    {"user": {"id": "ann", "identities": [{"issuer": "idp", "subject": "s"}], "email": "a@example.com"}},
    {"user": {"id": "bob", "organizations": [{"organization_id": "acme", "administers": True}]}},
    {"membership": {"team_id": "a", "user_id": "ann", "max_budget_micro_usd": 5}},
    {"end_user": {"id": "c", "limit": {"tpm": 1, "budget_reset": {"seconds": 60}}}},
    {"model": {"name": "gpt-4o", "groups": ["fast"]}},
]
TEXTS: dict[str, tuple[str, ...]] = {
    "id": ("a", "ann", "acme", "c", "nobody", "", "\n", "x" * 257),
    "team_id": ("a", "b", "nobody", ""),
    "user_id": ("ann", "bob", "nobody", ""),
    "organization_id": ("acme", "nobody", ""),
    "issuer": ("idp", "other", "nobody", ""),
    "subject": ("s", "t", ""),
    "role": ("user", "admin", "proxy_admin", "boss", ""),
    "etag": ("", "1", "2", "é", "x" * 65),
    "request_id": ("", "r-1", "é", "x" * 129),
    "page_token": ("", "AAAA", "x" * 3000, "é"),
    "paths": ("models", "limit", "limit.tpm", "blocked", "id", "*", ""),
    "name": ("gpt-4o", "x", ""),
}


class Call:
    """The context of a call without a deadline."""

    ending: tuple[str, str] | None = None

    def time_remaining(self) -> None:
        return None

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object = ()) -> None:
        self.ending = (code.name, details)
        raise grpc.aio.AbortError


def _kind(place: int) -> type[Any]:
    found: type[Any] = GetMessageClass(METHODS[place % len(METHODS)].input_type)
    return found


@cache
def _filled() -> MemoryStore:
    store = MemoryStore()
    request = _kind(_place("ApplyEdits"))(edits=[{"create": row} for row in COMPANY])
    LOOP.run_until_complete(_handler("ApplyEdits", store)(request.SerializeToString(), Call()))
    return store


def _place(name: str) -> int:
    return next(place for place, method in enumerate(METHODS) if method.name == name)


def _handler(name: str, store: MemoryStore) -> Any:
    limits, full = Limits(), f"/{SERVICE.full_name}/{name}"
    kept = KeptDirectory(store=cast(Any, store), names=lambda: NAMES)
    service = DirectoryService(kept, limits=limits, gate=Gate(limits), readiness=ready())
    return guarded(service.handlers()[full], lambda context: Asking(full))


def _check(data: bytes) -> object:
    method, store, call = METHODS[(data[0] if data else 0) % len(METHODS)], copy.copy(_filled()), Call()
    _own(store)
    before = LOOP.run_until_complete(store.head())
    answer = b""
    try:
        answer = LOOP.run_until_complete(_handler(method.name, store)(data[1:], call))
    except grpc.aio.AbortError:
        assert call.ending is not None
        code, details = call.ending
        known = call.ending in ENDINGS or (code == "INVALID_ARGUMENT" and _FIELD.fullmatch(details))
        assert known, f"ended with {call.ending}"
        assert LOOP.run_until_complete(store.head()) == before, "a change by a call that failed"
    message = GetMessageClass(method.output_type).FromString(answer)
    assert message.SerializeToString(deterministic=True) == answer, "bytes of its own making"
    if method.name.startswith(("Get", "List")):
        assert LOOP.run_until_complete(store.head()) == before, "a change by a call that reads"
    for noun in NOUNS:
        LOOP.run_until_complete(_check_rows(noun, store))
    return [call.ending, re.sub(r"period_end \{[^}]*\}", "", str(message))]


def _own(store: MemoryStore) -> None:
    """What one input changes is there for no other."""
    for name, value in vars(store).items():
        if isinstance(value, dict | list):
            setattr(store, name, value.copy())


async def _check_rows(noun: Noun, store: MemoryStore) -> None:
    """Whatever is kept can be shown, and written as it is shown: it is within every bound."""
    for stored in (await store.page(noun.kind, Filter(), limit=5000)).rows:
        message = noun.show(stored.row, stored.etag)
        assert canonical(noun.whole(message, noun.field, NAMES)) == canonical(stored.row), "another row"
        assert noun.show(noun.whole(message, noun.field, NAMES), stored.etag) == message, "shown otherwise"
    await asyncio.sleep(0)


def seeds() -> Sequence[bytes]:
    """Requests of every method that mean something."""
    found: list[bytes] = []
    for place, method in enumerate(METHODS):
        kind = _kind(place)
        verb = re.match(r"Get|List|Create|Update|Delete|Block|Unblock|Apply|Record|Reset", method.name)
        fields = set(kind.DESCRIPTOR.fields_by_name)
        requests: list[dict[str, Any]] = [{}]
        requests += [row for row in COMPANY if set(row) <= fields]
        requests += [
            row | {"update_mask": {"paths": ["blocked"]}} for row in COMPANY if {*row, "update_mask"} <= fields
        ]
        if "id" in fields:
            requests += [{"id": text} for text in TEXTS["id"]]
        if method.name.endswith("Membership") and "name" in fields:
            requests += [{"name": {"team_id": "a", "user_id": "ann"}}]
        elif "name" in fields:
            requests += [{"name": "gpt-4o"}]
        if "owner" in fields:
            requests += [{"owner": {"team_id": "a"}}, {"owner": {"member": {"team_id": "a", "user_id": "ann"}}}]
        if "usages" in fields:
            requests += [{"usages": [{"owner": {"everyone": {}}, "micro_usd": 7}], "request_id": "r"}]
        if "edits" in fields:
            requests += [{"edits": [{op: row} for row in COMPANY]} for op in ("put", "update", "create")]
            requests += [{"edits": [{"delete": {"team_id": "a"}}, {"delete": {"membership": {"team_id": "a"}}}]}]
        if verb is not None and verb[0] == "List":
            requests += [{"page_size": 1}, {"page_size": -1}]
        found += [bytes([place]) + kind(**each).SerializeToString() for each in requests]
    return found


def mutate(data: bytes, random: Random) -> bytes:
    """Another input that is like it."""
    place, body = (data[0] if data else 0), data[1:]
    choice = random.randrange(20)
    if choice == 0:
        return bytes([random.randrange(len(METHODS))]) + body
    if choice < 3:
        return bytes([place]) + mutate_bytes(body, random)
    try:
        message: Message = _kind(place).FromString(body)
    except DecodeError:
        return bytes([place]) + mutate_bytes(body, random)
    for _ in range(random.choice((1, 1, 2, 4))):
        mutate_message(message, random, _text)
    written: bytes = message.SerializeToString()
    return bytes([place]) + written


def _text(name: str, value: str, random: Random) -> str:
    return random.choice(TEXTS.get(name, ("a", "x", "idp"))) if random.random() < 0.7 else changed_text(value, random)


TARGET = Target(
    name="directory",
    seeds=seeds,
    check=_check,
    mutate=mutate,
    max_size=8192,
    out_of_reach={
        "rpc/directory/crud.py": "pages beyond 1 MiB, and rows that others change between two steps",
        "rpc/directory/service.py": "a gate that is closed or full",
    },
)
