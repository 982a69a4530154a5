"""Turns sessions into the contract's messages."""

from __future__ import annotations

from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from usher.v1 import session_pb2
from usherd.rpc.messages import whole_and_nanos
from usherd.sessions import Session, SessionClaims


def timestamp(seconds: float) -> Timestamp:
    """Seconds since the epoch."""
    whole, nanos = whole_and_nanos(seconds)
    return Timestamp(seconds=whole, nanos=nanos)


def session(kept: Session) -> session_pb2.Session:
    """The contract's Session."""
    return session_pb2.Session(
        id=kept.id,
        user_id=kept.user_id,
        role=kept.role,
        login_method=cast(session_pb2.LoginMethod, kept.login_method),
        created_at=timestamp(kept.created_at),
        expires_at=timestamp(kept.expires_at),
        revoked_at=None if kept.revoked_at is None else timestamp(kept.revoked_at),
        caller=kept.caller,
    )


def claims(said: SessionClaims) -> session_pb2.SessionClaims:
    """The contract's SessionClaims."""
    return session_pb2.SessionClaims(
        session_id=said.session_id,
        user_id=said.user_id,
        email=said.email,
        role=said.role,
        login_method=cast(session_pb2.LoginMethod, said.login_method),
        premium=said.premium,
        auth_header_name=said.auth_header_name,
        personal_keys_disabled=said.personal_keys_disabled,
    )
