"""Serves usher.v1.RevocationService: tokens are revoked, and it is said which."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from usher.v1 import revocation_service_pb2 as api
from usherd.calls import Call
from usherd.errors import FaultReason, InvalidRequest
from usherd.rpc import names
from usherd.rpc.deadline import Answer, bounded
from usherd.rpc.directory import paging, requests
from usherd.rpc.guard import Serve
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.revocation import asked, shown
from usherd.rpc.revocation.kept import KeptRevocations, opened

_PATIENCE = 0.5
"""The share of a call's time in which a token that was sent must be verified."""

_log = logging.getLogger("usherd.rpc")


class RevocationService:
    """The methods, each from bytes to bytes."""

    def __init__(self, kept: KeptRevocations | None, *, limits: Limits, gate: Gate) -> None:
        """`kept` is None where no store keeps a list; `gate` bounds how much of this is done at a time."""
        self._kept = kept
        self._limits = limits
        self._gate = gate
        self._methods: Mapping[str, Answer] = {
            "Revoke": self._revoke,
            "ListRevocations": self._list,
            "LiftRevocation": self._lift,
        }

    def handlers(self) -> dict[str, Serve]:
        """The handler of each method, by full name."""
        return {
            f"/{names.REVOCATION}/{name}": bounded(self._inside(answer), self._limits.management_deadline)
            for name, answer in self._methods.items()
        }

    def streaming(self) -> dict[str, Serve]:
        """None: no method streams."""
        return {}

    def _inside(self, answer: Answer) -> Answer:
        async def inside(data: bytes, call: Call, seconds: float) -> bytes:
            await self._gate.enter(1)
            try:
                return await answer(data, call, seconds)
            finally:
                self._gate.leave(1)

        return inside

    async def _revoke(self, data: bytes, call: Call, seconds: float) -> bytes:
        kept = opened(self._kept)
        request = requests.read(api.RevokeRequest, data)
        note = asked.note_of(request)
        now = kept.clock()
        entry = await asked.entry_of(request, kept.in_force(), now, seconds * _PATIENCE)
        # After that, there is no token in the request any more: what tells it from others is not made of one.
        identified = requests.identified(request, call)
        done = await kept.store.revoke(entry, note=note, caller=call.caller, request=identified)
        _tell("tokens_revoked", call)
        answer = api.RevokeResponse(
            revocation=None if done.revocation is None else shown.revocation(done.revocation),
            revision=_revision(kept, done.revision),
        )
        return bytes(answer.SerializeToString(deterministic=True))

    async def _list(self, data: bytes, call: Call, seconds: float) -> bytes:
        kept = opened(self._kept)
        request = requests.read(api.ListRevocationsRequest, data)
        size, wanted = paging.size_of(request), asked.wanted_of(request)
        after = paging.after(call.method, request)
        if len(after) > 1:
            raise InvalidRequest(FaultReason.PAGE_INVALID)
        page = await kept.store.page(wanted, after=after[0] if after else "", limit=size)
        last = (page.rows[-1].id,) if page.more and page.rows else ()
        answer = api.ListRevocationsResponse(
            revocations=map(shown.revocation, page.rows),
            next_page_token=paging.token(call.method, request, last),
            revision=_revision(kept, page.revision),
        )
        return bytes(answer.SerializeToString(deterministic=True))

    async def _lift(self, data: bytes, call: Call, seconds: float) -> bytes:
        kept = opened(self._kept)
        request = requests.read(api.LiftRevocationRequest, data)
        id = asked.digest_of(request.id, "id")
        revision = await kept.store.lift(id, requests.identified(request, call))
        _tell("revocation_lifted", call)
        answer = api.LiftRevocationResponse(revision=_revision(kept, revision))
        return bytes(answer.SerializeToString(deterministic=True))


def _tell(event: str, call: Call) -> None:
    # Of what was revoked nothing is in the line: the list says it to those who may read it.
    _log.info(event, extra={"method": call.method, "caller": call.caller})


def _revision(kept: KeptRevocations, revision: int) -> str:
    return f"{kept.store.id}:{revision}"
