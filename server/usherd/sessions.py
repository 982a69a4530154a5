"""Sessions of the user interface, as usherd makes them itself: what one is, and what its token says."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from usherd.changes import Lookup, Sought
from usherd.facts import DIRECTORY_ADMIN_ROLE, User

SESSION_TYPE = "usherd-session+jwt"
"""The header's `typ` of a session's token (RFC 8725, section 3.11): no other kind of token has it."""
MIN_LIFETIME = 60.0
"""Seconds that a session lasts at least."""
MAX_PER_USER = 64
"""Valid sessions of one user: a further one ends the oldest."""

SCOPES: Mapping[str, str] = {
    DIRECTORY_ADMIN_ROLE: "ui:admin",
    "proxy_admin_viewer": "ui:view_all",
    "internal_user": "ui:use",
    "internal_user_viewer": "ui:view",
}
"""What a session's token tells others of a role. usherd itself never judges by it; who only views is no administrator
in any of them."""


class LoginMethod(IntEnum):
    """The contract's `LoginMethod`, number by number."""

    UNSPECIFIED = 0
    SSO = 1
    USERNAME_PASSWORD = 2


LOGIN_METHODS: Mapping[LoginMethod, str] = {
    LoginMethod.UNSPECIFIED: "",
    LoginMethod.SSO: "sso",
    LoginMethod.USERNAME_PASSWORD: "username_password",
}
"""As tokens say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session. Dates are whole seconds since the epoch."""

    id: str
    """32 hexadecimal digits: random, and no secret."""
    user_id: str
    email: str = field(repr=False)
    role: str
    """What the user was when it was made; empty: nothing in particular."""
    login_method: LoginMethod
    created_at: float
    expires_at: float
    caller: str = ""
    """The name of the caller that made it; empty: callers were not told apart."""
    revoked_at: float | None = None


def lookup_of(session_id: str) -> Lookup:
    """What the change log says when a session was made or has ended."""
    return Lookup(Sought.SESSION, (session_id,))


def claims_of(
    session: Session,
    *,
    issuer: str,
    audience: str,
    premium: bool,
    auth_header_name: str,
    personal_keys_disabled: bool,
) -> dict[str, object]:
    """The claims of its token, the user interface's under the names that LiteLLM's has for them."""
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": audience,
        "sub": session.user_id,
        "jti": session.id,
        "iat": int(session.created_at),
        "exp": int(session.expires_at),
        "session_id": session.id,
        "user_id": session.user_id,
        "user_role": session.role,
        "login_method": LOGIN_METHODS[session.login_method],
        "premium_user": premium,
        "auth_header_name": auth_header_name,
        "disabled_non_admin_personal_key_creation": personal_keys_disabled,
    }
    if session.email:
        claims["user_email"] = session.email
    if (scope := SCOPES.get(session.role)) is not None:
        claims["scope"] = scope
    return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClaims:
    """What a session says, as of now."""

    session_id: str
    """Empty: a session of LiteLLM's form without one."""
    user_id: str
    email: str = field(repr=False)
    role: str
    login_method: LoginMethod
    premium: bool
    auth_header_name: str
    personal_keys_disabled: bool
    expires_at: float


def said(claims: Mapping[str, object], role: str, expires_at: float) -> SessionClaims:
    """What verified claims of either form say, with the role that counts now. What has a wrong type says nothing."""
    method = _text(claims, "login_method")
    return SessionClaims(
        session_id=_text(claims, "session_id") or _text(claims, "ui_session_id"),
        user_id=_text(claims, "user_id"),
        email=_text(claims, "user_email"),
        role=role,
        login_method=next((each for each, text in LOGIN_METHODS.items() if text == method), LoginMethod.UNSPECIFIED),
        premium=claims.get("premium_user") is True,
        auth_header_name=_text(claims, "auth_header_name"),
        personal_keys_disabled=claims.get("disabled_non_admin_personal_key_creation") is True,
        expires_at=expires_at,
    )


def as_json(claims: SessionClaims) -> Mapping[str, object]:
    """What a browser is told: the contract's names, and beside them those that LiteLLM's user interface reads."""
    both = {
        ("user", "user_id"): claims.user_id,
        ("email", "user_email"): claims.email or None,
        ("role", "user_role"): claims.role,
        ("premium", "premium_user"): claims.premium,
        ("personal_keys_disabled", "disabled_non_admin_personal_key_creation"): claims.personal_keys_disabled,
    }
    found: dict[str, object] = {
        "session_id": claims.session_id or None,
        "login_method": LOGIN_METHODS[claims.login_method] or None,
        "auth_header_name": claims.auth_header_name or None,
        "exp": int(claims.expires_at),
    }
    return MappingProxyType(found | {name: value for names, value in both.items() for name in names})


def role_now(role: str, user: User | None, given: Collection[str] | None) -> str:
    """What the holder of a session that says `role` is now: what the directory says, but an administrator only if the
    session says so, too.

    Where the directory names no role, the session's word counts if it may be somebody else's: it is one of `given`,
    which a provider's roles can give; None: any may be, as in sessions that the directory knows nothing of.
    """
    if user is None:
        return role
    if not user.role:
        return role if given is None or role in given else ""
    return role if user.role == DIRECTORY_ADMIN_ROLE else user.role


def kept_claims(session: Session) -> str:
    """What is kept of it besides its dates and ids."""
    kept = {"email": session.email, "role": session.role, "login_method": int(session.login_method)}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False)


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""
