"""Shows revocations as messages of the contract."""

from __future__ import annotations

import math

from google.protobuf.timestamp_pb2 import Timestamp

from usher.v1 import revocation_pb2
from usherd.changes import Lookup, Sought
from usherd.revocation_store import Revocation


def revocation(row: Revocation) -> revocation_pb2.Revocation:
    """A revocation."""
    entry = row.entry
    return revocation_pb2.Revocation(
        id=row.id,
        tokens=tokens(entry.which),
        issued_before=None if entry.issued_before is None else stamp(entry.issued_before),
        until=None if entry.until == math.inf else stamp(entry.until),
        note=row.note,
        caller=row.caller,
        revoked_at=stamp(row.revoked_at),
    )


def tokens(which: Lookup) -> revocation_pb2.RevokedTokens:
    """What is revoked."""
    key = which.key
    if which.sought is Sought.TOKEN:
        return revocation_pb2.RevokedTokens(token_id=key[0])
    if which.sought is Sought.JTI:
        return revocation_pb2.RevokedTokens(jti=revocation_pb2.TokenOfIssuer(issuer=key[0], jti=key[1]))
    if which.sought is Sought.SUBJECT:
        return revocation_pb2.RevokedTokens(subject=revocation_pb2.SubjectOfIssuer(issuer=key[0], subject=key[1]))
    return revocation_pb2.RevokedTokens(issuer=key[0])


def stamp(seconds: float) -> Timestamp:
    """Seconds since the epoch."""
    # To the microsecond, which is what a float of today's dates has.
    micros = round(seconds * 1_000_000)
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)
