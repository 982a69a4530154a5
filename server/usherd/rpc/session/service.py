"""Serves usher.v1.SessionService: sessions are made, told, ended and listed."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from usher.v1 import session_service_pb2 as api
from usherd.calls import Call
from usherd.domain import Decision
from usherd.errors import FaultReason, FieldInvalid, InvalidRequest, NoStore
from usherd.rpc import names
from usherd.rpc.deadline import Answer, bounded
from usherd.rpc.directory import paging, requests
from usherd.rpc.directory.fields import id_of, maybe_id
from usherd.rpc.guard import Serve
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.messages import decision_message
from usherd.rpc.session import shown
from usherd.session_desk import Made, SessionDesk
from usherd.sessions import LoginMethod

_PATIENCE = 0.5
"""The share of a call's time in which a token that was sent must be verified."""
_SESSION_ID = re.compile(r"[0-9a-f]{32}")
_NANOS = 1e9

_log = logging.getLogger("usherd.rpc")


class SessionService:
    """The methods, each from bytes to bytes."""

    def __init__(self, desk: SessionDesk | None, *, limits: Limits, gate: Gate) -> None:
        """`desk` is None where there are no sessions; `gate` bounds how much of this is done at a time."""
        self._desk = desk
        self._limits = limits
        self._gate = gate
        self._methods: Mapping[str, Answer] = {
            "CreateSession": self._create,
            "CreateSessionForUser": self._create_for_user,
            "ValidateSession": self._validate,
            "RevokeSessions": self._revoke,
            "ListSessions": self._list,
        }

    def handlers(self) -> dict[str, Serve]:
        """The handler of each method, by full name."""
        return {
            f"/{names.SESSION}/{name}": bounded(self._inside(answer), self._limits.management_deadline)
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

    def _opened(self) -> SessionDesk:
        if self._desk is None:
            raise NoStore
        return self._desk

    async def _create(self, data: bytes, call: Call, seconds: float) -> bytes:
        desk = self._opened()
        request = requests.read(api.CreateSessionRequest, data)
        made = await desk.create(request.token, _lifetime(request), call.caller, seconds * _PATIENCE)
        return _made(api.CreateSessionResponse, made, call)

    async def _create_for_user(self, data: bytes, call: Call, seconds: float) -> bytes:
        desk = self._opened()
        request = requests.read(api.CreateSessionForUserRequest, data)
        method, lifetime = _method(request), _lifetime(request)
        match request.WhichOneof("user"):
            case "user_id":
                user_id = id_of(request.user_id, "user_id")
                made = await desk.create_for_id(user_id, method, lifetime, call.caller)
            case "subject":
                subject = id_of(request.subject.subject, "subject.subject")
                issuer = request.subject.issuer
                made = await desk.create_for_subject(issuer, subject, method, lifetime, call.caller)
            case _:
                raise FieldInvalid("user", "user_id or subject")
        return _made(api.CreateSessionForUserResponse, made, call)

    async def _validate(self, data: bytes, call: Call, seconds: float) -> bytes:
        desk = self._opened()
        request = requests.read(api.ValidateSessionRequest, data)
        found = await desk.validate(request.token, seconds * _PATIENCE)
        if isinstance(found, Decision):
            return _bytes(api.ValidateSessionResponse(denial=decision_message(found)))
        expires_at = shown.timestamp(found.expires_at)
        return _bytes(api.ValidateSessionResponse(claims=shown.claims(found), expires_at=expires_at))

    async def _revoke(self, data: bytes, call: Call, seconds: float) -> bytes:
        desk = self._opened()
        request = requests.read(api.RevokeSessionsRequest, data)
        match request.WhichOneof("which"):
            case "session_id":
                if _SESSION_ID.fullmatch(request.session_id) is None:
                    raise FieldInvalid("session_id", "32 hexadecimal digits, lower case")
                ended = await desk.revoke(session_id=request.session_id)
            case "user_id":
                ended = await desk.revoke(user_id=id_of(request.user_id, "user_id"))
            case _:
                raise FieldInvalid("which", "session_id or user_id")
        _log.info("sessions_ended", extra={"method": call.method, "caller": call.caller, "count": ended.revoked})
        return _bytes(api.RevokeSessionsResponse(revoked=ended.revoked, revision=desk.revision(ended.revision)))

    async def _list(self, data: bytes, call: Call, seconds: float) -> bytes:
        desk = self._opened()
        request = requests.read(api.ListSessionsRequest, data)
        size, user_id = paging.size_of(request), maybe_id(request.user_id, "user_id")
        after = paging.after(call.method, request)
        if len(after) > 1:
            raise InvalidRequest(FaultReason.PAGE_INVALID)
        page = await desk.page(
            user_id=user_id, valid_only=request.valid_only, after=after[0] if after else "", limit=size
        )
        last = (page.sessions[-1].id,) if page.more and page.sessions else ()
        answer = api.ListSessionsResponse(
            sessions=map(shown.session, page.sessions),
            next_page_token=paging.token(call.method, request, last),
            revision=desk.revision(page.revision),
        )
        return _bytes(answer)


def _made(kind: Any, made: Made | Decision, call: Call) -> bytes:
    if isinstance(made, Decision):
        return _bytes(kind(denial=decision_message(made)))
    _log.info("session_made", extra={"method": call.method, "caller": call.caller})
    return _bytes(kind(session=shown.session(made.session), token=made.token, revision=made.revision))


def _bytes(answer: Any) -> bytes:
    return bytes(answer.SerializeToString(deterministic=True))


def _lifetime(request: Any) -> float | None:
    """Seconds; None: it says nothing. What is no duration is too short."""
    if not request.HasField("lifetime"):
        return None
    return float(request.lifetime.seconds + request.lifetime.nanos / _NANOS)


def _method(request: Any) -> LoginMethod:
    try:
        return LoginMethod(request.login_method)
    except ValueError:
        raise FieldInvalid("login_method", "a login method that this server knows") from None
