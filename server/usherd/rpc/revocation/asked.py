"""Reads what is to be revoked, and what is to be listed."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from usherd.authenticate.claims import LATEST_DATE
from usherd.changes import Lookup, Sought
from usherd.errors import FieldInvalid, Refusal
from usherd.revocable import Revocable
from usherd.revocation_store import Wanted
from usherd.revocations import ONE_TOKEN, Entry
from usherd.rpc.directory.fields import id_of, maybe_id
from usherd.rpc.revocation.kept import InForce

MAX_NOTE = 1024
"""Bytes."""

_ID = re.compile(r"[0-9a-f]{32}")


async def entry_of(request: Any, in_force: InForce, now: float, patience: float) -> Entry:
    """What a RevokeRequest asks for. A token in it is taken out, and its id put in its place.

    Raises FieldInvalid, and KeysUnavailable and IntrospectionUnavailable where a token cannot be verified.
    """
    what, revocable = request.WhichOneof("what"), in_force.revocable
    if what == "token":
        which, until = await _token(request.token, in_force, now, patience)
        request.tokens.token_id = which.key[0]
    elif what == "tokens":
        which, until = _tokens(request.tokens, revocable), now
    else:
        raise FieldInvalid("token", "this, or tokens")
    issued_before = _issued_before(request, which, revocable, now)
    if what == "tokens":
        until = revocable.kept_until(which, max(now, issued_before or 0.0))
    longer = _moment(request, "keep_until", LATEST_DATE) or 0.0
    return Entry(which=which, issued_before=issued_before, until=max(until, longer))


async def _token(token: str, in_force: InForce, now: float, patience: float) -> tuple[Lookup, float]:
    verified = None
    # Why it is refused is no part of the answer, nor of what is raised.
    with contextlib.suppress(Refusal):
        verified = await in_force.verifier.verify(token, patience=patience)
    if verified is None:
        raise FieldInvalid("token", "one that is genuine now; else tokens.jti, tokens.subject or tokens.issuer")
    return Lookup(Sought.TOKEN, (verified.token_id,)), in_force.revocable.end_of(verified, now)


def _tokens(tokens: Any, revocable: Revocable) -> Lookup:
    which = tokens.WhichOneof("which")
    if which == "token_id":
        return Lookup(Sought.TOKEN, (digest_of(tokens.token_id, "tokens.token_id"),))
    if which == "jti":
        jti = tokens.jti
        issuer = _issuer(jti.issuer, "tokens.jti.issuer", revocable)
        return Lookup(Sought.JTI, (issuer, id_of(jti.jti, "tokens.jti.jti")))
    if which == "subject":
        subject = tokens.subject
        issuer = _issuer(subject.issuer, "tokens.subject.issuer", revocable)
        return Lookup(Sought.SUBJECT, (issuer, id_of(subject.subject, "tokens.subject.subject")))
    if which == "issuer":
        return Lookup(Sought.ISSUER, (_issuer(tokens.issuer, "tokens.issuer", revocable),))
    raise FieldInvalid("tokens", "token_id, jti, subject or issuer")


def _issuer(name: str, field: str, revocable: Revocable) -> str:
    if name not in revocable.issuers:
        raise FieldInvalid(field, "the name of a configured issuer, or session where sessions are taken")
    return name


def _issued_before(request: Any, which: Lookup, revocable: Revocable, now: float) -> float | None:
    if which.sought in ONE_TOKEN:
        if request.HasField("issued_before"):
            raise FieldInvalid("issued_before", "nothing: one token is meant, whenever it was issued")
        return None
    latest = revocable.latest(which.key[0], now)
    moment = _moment(request, "issued_before", latest)
    return now if moment is None else moment


def _moment(request: Any, name: str, latest: float) -> float | None:
    """The moment in that field; None: it is not set."""
    if not request.HasField(name):
        return None
    stamp = getattr(request, name)
    moment: float = stamp.seconds + stamp.nanos / 1e9
    if not (stamp.seconds >= 0 and 0 <= stamp.nanos < 10**9 and moment <= latest):
        bound = "before 2200" if latest == LATEST_DATE else "at most the issuer's leeway from now"
        raise FieldInvalid(name, f"a moment after 1970, {bound}")
    return moment


def note_of(request: Any) -> str:
    """The note. Raises FieldInvalid."""
    note: str = request.note
    if len(note.encode()) > MAX_NOTE or any(c < " " or "\x7f" <= c <= "\x9f" for c in note):
        raise FieldInvalid("note", f"at most {MAX_NOTE} bytes, no control characters")
    return note


def wanted_of(request: Any) -> Wanted:
    """What a list has. Raises FieldInvalid."""
    return Wanted(
        issuer=maybe_id(request.issuer, "issuer"),
        subject=maybe_id(request.subject, "subject"),
        jti=maybe_id(request.jti, "jti"),
        token_id=digest_of(request.token_id, "token_id") if request.token_id else "",
    )


def digest_of(text: str, field: str) -> str:
    """An id that is a digest: of a token, or of a revocation."""
    if not _ID.fullmatch(text):
        raise FieldInvalid(field, "32 hexadecimal digits, lower case")
    return text
