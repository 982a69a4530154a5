"""Checks what the file says under `sessions`, and makes the settings and rules of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from usherd.authenticate.session_token import SESSION_ISS
from usherd.authenticate.signing_key import SECRET_SIZE
from usherd.config.digest import digest
from usherd.config.findings import Found, tried
from usherd.config.problems import KeyPath, Unusable
from usherd.config.route_groups import RouteGroups
from usherd.config.scalars import check_address, read_secret
from usherd.config.schema import File
from usherd.config.settings import SessionSettings
from usherd.policy import OwnSessionRules

_SESSIONS: KeyPath = ("sessions",)


def check(file: File) -> Found:
    """What is wrong there, but for secrets."""
    wanted = file.sessions
    if wanted is None:
        return
    if file.directory.url is None:
        yield _SESSIONS, "need a directory that is kept; expected directory.url, too, or no sessions"
    if not wanted.key_encryption:
        yield (*_SESSIONS, "key_encryption"), "is empty; expected env:NAME or file:path, or a list of them"
    if wanted.issuer == SESSION_ISS:
        yield (*_SESSIONS, "issuer"), "is that of LiteLLM's sessions; expected another"
    for issuer in file.issuers:
        if issuer.issuer == wanted.issuer:
            yield (*_SESSIONS, "issuer"), f"is that of issuer {issuer.name}, too; expected another"
    if wanted.http is not None:
        yield from tried((*_SESSIONS, "http"), lambda: _check_http(str(wanted.http)))
    groups = RouteGroups(file.routes.version, file.routes.groups)
    yield from tried((*_SESSIONS, "routes"), lambda: groups.expand(wanted.routes))


def _check_http(address: str) -> None:
    if address.startswith("unix:"):
        raise Unusable("is a socket's path; expected host:port or [v6]:port")
    check_address(address)


def secrets(
    file: File, folder: Path, environment: Mapping[str, str]
) -> tuple[tuple[bytes, ...], list[tuple[KeyPath, str]]]:
    """What keys are encrypted under, and what is wrong with it: places and texts."""
    found: list[bytes] = []
    problems: list[tuple[KeyPath, str]] = []
    for place, reference in enumerate(file.sessions.key_encryption if file.sessions is not None else ()):
        try:
            found.append(_key(read_secret(reference, folder, environment)))
        except Unusable as error:
            problems.append(((*_SESSIONS, "key_encryption", place), str(error)))
    return tuple(found), problems


def _key(secret: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != SECRET_SIZE:
        raise Unusable(f"is no key; expected {SECRET_SIZE} bytes in base64, as `openssl rand -base64 32` makes them")
    return key


def settings(file: File, key_encryption: tuple[bytes, ...]) -> SessionSettings | None:
    """The settings of a file that was checked, with their secrets."""
    wanted = file.sessions
    if wanted is None:
        return None
    return SessionSettings(
        key_encryption=key_encryption,
        rotate_every=wanted.rotate_every,
        lifetime=wanted.lifetime,
        http=wanted.http,
    )


def rules(file: File) -> OwnSessionRules | None:
    """The rules of a file that was checked."""
    wanted = file.sessions
    if wanted is None:
        return None
    made = OwnSessionRules(
        issuer=wanted.issuer,
        audience=wanted.audience,
        lifetime=wanted.lifetime,
        premium=wanted.premium,
        auth_header_name=wanted.auth_header_name,
        personal_keys_disabled=wanted.personal_keys_disabled,
    )
    return replace(made, digest=digest(made))
