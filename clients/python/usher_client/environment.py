"""Reads a client's settings from environment variables, and says all that is wrong with them at once.

| variable | meaning |
|---|---|
| USHERD_TARGET | where usherd listens, such as `localhost:50051` or `dns:///usherd.example:443`; required |
| USHERD_CA_FILE | certificates (PEM) by one of which the server's is signed; otherwise those that gRPC brings |
| USHERD_CERT_FILE, USHERD_KEY_FILE | this gateway's own certificate and its key (PEM), for mutual TLS |
| USHERD_PLAINTEXT | `true`: no TLS to a target that is not surely on this machine |
| USHERD_CREDENTIAL | the credential that the server knows this gateway by |
| USHERD_CREDENTIAL_FILE | a file with it, read anew for each call |
| USHERD_DEADLINE | seconds for a decision, more than 0 and at most 60; 1 unless given |
| USHERD_CACHE | `on`, or how many decisions are kept, 1 to 10000; `off` unless given |
| USHERD_HEADER | the one header whose value is the user's token; otherwise the four usual ones, then session cookies |
| USHERD_ORIGINS | origins, with commas between them, whose pages may act with a session cookie |
| USHERD_TEAM_HEADER, USHERD_TEAM_ALIAS_HEADER | headers with the team that a user wants to act for |
| USHERD_MAX_BODY | bytes of a body that are read; 33554432 unless given |

A target on this machine (loopback, `unix:`) is plaintext unless a certificate is named; every other one is TLS. An
empty variable is one that is not set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from usher_client.aio import AsyncClient
from usher_client.bearer import Bearer, shown
from usher_client.channels import stays_here, wrong_target
from usher_client.http import Reading
from usher_client.keeping import MAX_ENTRIES, DecisionCache
from usher_client.questions import DEFAULT_DEADLINE, checked_deadline

_T = TypeVar("_T")
_PEM: Final = b"-----BEGIN "
_NUMBER = re.compile(r"[0-9]{1,18}")
_TARGET = re.compile(r"[\x21-\x7e]{1,1024}")


class SettingsError(ValueError):
    """Settings that cannot be worked with: a line for each, with the variable's name and never its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a gateway sets about usherd."""

    target: str
    credentials: grpc.ChannelCredentials | None = field(repr=False)
    """None: plaintext."""
    plaintext: bool
    """Whether plaintext may leave this machine."""
    bearer: Bearer | None = field(repr=False)
    deadline: float
    """Seconds."""
    cache: DecisionCache | None
    """None: every question is asked."""
    reading: Reading

    def open_client(self) -> AsyncClient:
        """A client for the event loop that runs now."""
        return AsyncClient(
            self.target,
            credentials=self.credentials,
            plaintext=self.plaintext,
            bearer=self.bearer,
            cache=self.cache,
        )


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in these variables. Raises SettingsError with everything that is wrong."""
    variables = _Variables(environment)
    target = variables.read("USHERD_TARGET", _target, "")
    if not variables.has("USHERD_TARGET"):
        variables.wrong.append("USHERD_TARGET: required: where usherd listens, such as localhost:50051")
    plaintext = variables.read("USHERD_PLAINTEXT", _truth, False)
    settings = Settings(
        target=target,
        credentials=_credentials(variables, plaintext or stays_here(target)),
        plaintext=plaintext,
        bearer=_bearer(variables),
        deadline=variables.read("USHERD_DEADLINE", _seconds, DEFAULT_DEADLINE),
        cache=variables.read("USHERD_CACHE", _cache, None),
        reading=_reading(variables),
    )
    if target and (wrong := wrong_target(target, encrypted=settings.credentials is not None)):
        variables.wrong.append(f"USHERD_TARGET: {wrong}")
    if plaintext and settings.credentials is not None:
        variables.wrong.append("USHERD_PLAINTEXT: expected no certificates beside it")
    if variables.wrong:
        raise SettingsError("\n".join(variables.wrong))
    return settings


class _Variables:
    """The variables that are set, and what was found wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._given = {name: value for name, value in environment.items() if value}
        self.wrong: list[str] = []

    def has(self, name: str) -> bool:
        return name in self._given

    def read(self, name: str, parse: Callable[[str], _T], otherwise: _T) -> _T:
        if name not in self._given:
            return otherwise
        try:
            return parse(self._given[name])
        except (OSError, UnicodeError):
            self.wrong.append(f"{name}: cannot be read")  # the error's own text has the path
        except ValueError as error:
            self.wrong.append(f"{name}: {error}")
        return otherwise


def _credentials(variables: _Variables, may_be_plaintext: bool) -> grpc.ChannelCredentials | None:
    authorities = variables.read("USHERD_CA_FILE", _pem, None)
    certificate = variables.read("USHERD_CERT_FILE", _pem, None)
    key = variables.read("USHERD_KEY_FILE", _pem, None)
    if variables.has("USHERD_CERT_FILE") is not variables.has("USHERD_KEY_FILE"):
        variables.wrong.append("USHERD_CERT_FILE, USHERD_KEY_FILE: expected both or none")
    if may_be_plaintext and authorities is None and certificate is None:
        return None
    return grpc.ssl_channel_credentials(authorities, key, certificate)


def _bearer(variables: _Variables) -> Bearer | None:
    if variables.has("USHERD_CREDENTIAL") and variables.has("USHERD_CREDENTIAL_FILE"):
        variables.wrong.append("USHERD_CREDENTIAL, USHERD_CREDENTIAL_FILE: expected at most one of them")
    from_file = variables.read("USHERD_CREDENTIAL_FILE", _credential_in, None)
    return from_file or variables.read("USHERD_CREDENTIAL", _credential, None)


def _reading(variables: _Variables) -> Reading:
    found: dict[str, Any] = {}
    for name, part, parse in (
        ("USHERD_HEADER", "header", str),
        ("USHERD_ORIGINS", "origins", _list),
        ("USHERD_TEAM_HEADER", "team_header", str),
        ("USHERD_TEAM_ALIAS_HEADER", "team_alias_header", str),
        ("USHERD_MAX_BODY", "max_body", _whole),
    ):
        nothing: dict[str, object] = {}
        found |= variables.read(name, partial(_part, part, parse), nothing)
    return Reading(**found)


def _part(name: str, parse: Callable[[str], object], text: str) -> dict[str, object]:
    part = {name: parse(text)}
    try:
        Reading(**part)  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(str(error).partition(": ")[2]) from None
    return part


def _target(text: str) -> str:
    if _TARGET.fullmatch(text) is None:
        raise ValueError("expected a target such as localhost:50051, without white space")
    return text


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _whole(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("expected a whole number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return checked_deadline(float(text))
    except ValueError:
        raise ValueError("expected seconds, more than 0 and at most 60") from None


def _cache(text: str) -> DecisionCache | None:
    if text in ("on", "off"):
        return DecisionCache() if text == "on" else None
    if _NUMBER.fullmatch(text) is None or not 1 <= int(text) <= MAX_ENTRIES:
        raise ValueError(f"expected on, off, or a number from 1 to {MAX_ENTRIES}")
    return DecisionCache(max_entries=int(text))


def _list(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(","))


def _pem(path: str) -> bytes:
    content = Path(path).read_bytes()
    if _PEM not in content:
        raise ValueError("expected a file in PEM form")
    return content


def _credential(text: str) -> str:
    try:
        shown(text)
    except ValueError as error:
        raise ValueError(str(error).partition(": ")[2]) from None
    return text


def _credential_in(path: str) -> Callable[[], str]:
    def credential() -> str:
        return Path(path).read_text("ascii").strip()

    _credential(credential())
    return credential
