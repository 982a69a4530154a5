"""Builds what Envoy asks with, and reads what it is answered, by the messages of `rpc.envoy.wire`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usherd.inbound.handed_on import GatewayRules
from usherd.inbound.request import ReadingRules
from usherd.rpc.envoy.wire import CheckRequest, CheckResponse

CASES = Path(__file__).resolve().parents[2] / "clients" / "cases"
CHECK = "/envoy.service.auth.v3.Authorization/Check"

Pairs = Sequence[tuple[str, str | bytes]]


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file that every client answers alike."""
    found: list[dict[str, Any]] = json.loads((CASES / name).read_text("utf-8"))["cases"]
    return found


def body_of(case: Mapping[str, Any]) -> bytes:
    """The bytes of a case's body."""
    if "body_base64" in case:
        return base64.b64decode(case["body_base64"])
    return str(case.get("body", "")).encode()


def rules_of(options: Mapping[str, Any]) -> GatewayRules:
    """The rules that a case's options mean."""
    lower = {name: value.lower() for name, value in options.items() if name.endswith("header")}
    return GatewayRules(
        reading=ReadingRules(
            credential_header=lower.get("header"),
            origins=frozenset(options.get("origins", ())),
            base_path=options.get("base_path", ""),
            model_header=lower.get("model_header"),
            team_header=lower.get("team_header"),
            team_alias_header=lower.get("team_alias_header"),
        )
    )


def check_request(
    method: str = "POST",
    path: str = "/v1/chat/completions",
    headers: Pairs = (),
    body: bytes | None = None,
    *,
    raw: bool = True,
    context: Mapping[str, str] | None = None,
    metadata: Mapping[str, Mapping[str, str]] | None = None,
) -> bytes:
    """A CheckRequest. `raw`: as Envoy sends it with encode_raw_headers and pack_as_bytes; else headers of one name are
    joined with commas, as it does without."""
    made = CheckRequest()
    http = made.attributes.request.http
    http.SetInParent()
    http.id, http.method, http.path = b"17", method.encode(), path.encode()
    pairs = [(name.lower().encode(), _bytes(value)) for name, value in headers]
    if raw:
        for name, value in pairs:
            http.header_map.headers.add(key=name, raw_value=value)
        http.raw_body = body or b""
    else:
        joined: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            joined.setdefault(name, []).append(value)
        for name, values in joined.items():
            http.headers.add(key=name, value=b",".join(values))
        http.body = body or b""
    for key, text in (context or {}).items():
        made.attributes.context_extensions.add(key=key.encode(), value=text.encode())
    for namespace, members in (metadata or {}).items():
        entry = made.attributes.metadata_context.filter_metadata.add(key=namespace.encode())
        for key, text in members.items():
            entry.value.fields.add(key=key.encode()).value.string_value = text.encode()
    return bytes(made.SerializeToString())


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


@dataclass
class Told:
    """An answer, in plain values."""

    kind: str
    """`ok`, `denied` or `error`."""
    code: int
    """The status in it, as gRPC numbers them."""
    set: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    metadata: dict[str, str] = field(default_factory=dict)


def told(data: bytes) -> Told:
    """What is in an answer. Each header that is set must overwrite what a client sent."""
    answer = CheckResponse.FromString(data)
    (kind,) = [name for name in ("ok", "denied", "error") if answer.HasField(f"{name}_response")]
    found = Told(kind, answer.status.code)
    found.metadata = {each.key.decode(): each.value.string_value.decode() for each in answer.dynamic_metadata.fields}
    response = getattr(answer, f"{kind}_response")
    headers: dict[str, str] = {}
    for option in response.headers:
        assert option.append_action == 2
        name = option.header.key.decode()
        assert name not in headers
        # A neighbour of a session's cookie stays what it was; all else is ours.
        headers[name] = option.header.value.decode("utf-8" if name == "cookie" else "ascii")
    if kind == "ok":
        found.set, found.removed = headers, [name.decode() for name in response.headers_to_remove]
    else:
        found.status, found.headers, found.body = response.status.code, headers, json.loads(response.body)
    return found
