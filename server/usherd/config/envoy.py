"""Checks what the file says under `envoy`, and makes the rules of it."""

from __future__ import annotations

from collections.abc import Mapping

from usherd.config.findings import Found
from usherd.config.problems import KeyPath, quoted
from usherd.config.schema import File
from usherd.config.schema_envoy import Envoy
from usherd.inbound.credentials import AUTHORIZATION, KEYS
from usherd.inbound.handed_on import GatewayRules
from usherd.inbound.request import ReadingRules

_ENVOY: KeyPath = ("envoy",)
_READ = ("credential_header", "model_header", "team_header", "team_alias_header")
_NEVER_SET = frozenset(
    {
        *(AUTHORIZATION, *KEYS, "cookie", "host", "origin", "te", "upgrade", "trailer", "connection", "keep-alive"),
        *("content-type", "content-length", "content-encoding", "transfer-encoding", "proxy-authorization"),
    }
)
"""Headers that say something else to whoever reads them."""


def check(file: File) -> Found:
    """What is wrong there."""
    wanted = file.envoy
    if wanted is None:
        return
    if wanted.model_header is not None and wanted.model_metadata is not None:
        text = "is a second place that alone names the model; expected this or model_header"
        yield (*_ENVOY, "model_metadata"), text
    read: dict[str, str] = {}
    for key in _READ:
        name = getattr(wanted, key)
        if name is not None and name in read:
            yield (*_ENVOY, key), f"{quoted(name)} is {read[name]}, too; expected a header of its own"
        elif name is not None:
            read[name] = key
    for name in wanted.identity_headers:
        yield from _settable(name, read)


def _settable(name: str, read: Mapping[str, str]) -> Found:
    path: KeyPath = (*_ENVOY, "identity_headers", name)
    if name in _NEVER_SET or name.startswith("x-envoy-"):
        yield path, "says something else to whoever reads it; expected a name of its own, as x-usherd-user"
    if "_" in name:
        yield path, "has an underscore, which some programs read as a dash, and others not; expected dashes"
    for other, key in read.items():
        if name == other.replace("_", "-"):
            yield path, f"is {key}, which clients send; expected another name"


def rules(file: File) -> GatewayRules | None:
    """The rules of a file that was checked; None: Envoy is not answered."""
    wanted = file.envoy
    if wanted is None:
        return None
    metadata = wanted.model_metadata
    return GatewayRules(
        reading=_reading(wanted),
        model_metadata=None if metadata is None else (metadata.namespace, metadata.key),
        identity_headers=dict(wanted.identity_headers),
        forward_credential=wanted.forward_credential,
        max_body=wanted.max_body,
    )


def _reading(wanted: Envoy) -> ReadingRules:
    return ReadingRules(
        credential_header=wanted.credential_header,
        origins=frozenset(wanted.origins),
        base_path=wanted.base_path or "",
        model_header=wanted.model_header,
        team_header=wanted.team_header,
        team_alias_header=wanted.team_alias_header,
    )
