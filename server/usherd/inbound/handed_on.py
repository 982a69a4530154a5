"""What the next in line is told of a request that may pass: who asks, in headers that nobody else can have set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote

from usherd.domain import Principal, Verdict
from usherd.inbound.credentials import AUTHORIZATION, KEYS
from usherd.inbound.request import ReadingRules

_HOLDER: Mapping[str, Callable[[Principal], str | tuple[str, ...]]] = {
    "kind": lambda holder: holder.kind.name.lower(),
    "issuer": lambda holder: holder.issuer,
    "subject": lambda holder: holder.subject,
    "client": lambda holder: holder.client,
    "user": lambda holder: holder.user_id,
    "email": lambda holder: holder.email,
    "directory_role": lambda holder: holder.directory_role,
    "admin": lambda holder: "true" if holder.is_admin else "",
    "team": lambda holder: holder.team_id,
    "team_alias": lambda holder: holder.team_alias,
    "organization": lambda holder: holder.organization_id,
    "end_user": lambda holder: holder.end_user_id,
    "scopes": lambda holder: holder.scopes,
    "roles": lambda holder: holder.roles,
}
MODEL = "model"
DECISION_ID = "decision_id"
FIELDS = (*_HOLDER, MODEL, DECISION_ID)
"""What a header may say."""

IDENTITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "x-usherd-user": "user",
        "x-usherd-team": "team",
        "x-usherd-organization": "organization",
        "x-usherd-end-user": "end_user",
        "x-usherd-model": MODEL,
        "x-usherd-decision-id": DECISION_ID,
    }
)
"""What headers say unless they are configured: nothing that a person would be known by elsewhere."""

MEBIBYTE = 1024 * 1024

# Printable ASCII that is neither the escape itself, nor what separates members of a list, nor trimmed away.
_AS_IT_IS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "%,")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRules:
    """How requests are taken from a gateway that passes them on whole, and what it is told to hand on."""

    reading: ReadingRules = field(default_factory=ReadingRules)
    model_metadata: tuple[str, str] | None = None
    """(namespace, key) of what another filter has found out; where it is given, neither header nor body count."""
    identity_headers: Mapping[str, str] = field(default_factory=lambda: IDENTITY_HEADERS)
    """What each header says (`FIELDS`), by its name in lower case."""
    forward_credential: bool = False
    """Whether the headers that may carry a credential, and the cookies of sessions, are handed on."""
    max_body: int = MEBIBYTE
    """Bytes of the largest body that is read."""

    @property
    def credential_headers(self) -> tuple[str, ...]:
        """The headers that a credential may be in."""
        own = self.reading.credential_header
        return (AUTHORIZATION, *KEYS) if own is None else (own,)

    @property
    def takes_sessions_off(self) -> bool:
        """Whether the cookies of sessions, which count where no header alone does, are not handed on."""
        return self.reading.credential_header is None and not self.forward_credential


def said(verdict: Verdict, field: str) -> str:
    """What a header says that tells that of a verdict, which has all but the decision's id; empty: nothing.

    Whatever is not printable ASCII is percent-encoded, and so are `%`, the comma and the space: no two texts are told
    alike, and none can end the header.
    """
    if field == MODEL:
        return _written(verdict.resolved_model)
    if verdict.principal is None:
        return ""
    value = _HOLDER[field](verdict.principal)
    return _written(value) if isinstance(value, str) else ",".join(map(_written, value))


def _written(text: str) -> str:
    return quote(text, safe=_AS_IT_IS, errors="surrogatepass")
