"""The shape of `envoy:` in the file: how requests are read that Envoy asks about, and what it hands on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from usherd.config.fields import BasePath, BodySize, HeaderName, Origin, Section, Text
from usherd.inbound.handed_on import IDENTITY_HEADERS, MEBIBYTE

HeaderField = Literal[
    "kind",
    "issuer",
    "subject",
    "client",
    "user",
    "email",
    "directory_role",
    "admin",
    "team",
    "team_alias",
    "organization",
    "end_user",
    "scopes",
    "roles",
    "model",
    "decision_id",
]


class ModelMetadata(Section):
    """What another filter of Envoy has found out of the model (dynamic metadata)."""

    namespace: Text = Field(description="The filter's namespace, as envoy.filters.http.json_to_metadata.")
    key: Text = Field(description="The key in it.")


class Envoy(Section):
    """Answers Envoy's filter ext_authz (envoy.service.auth.v3.Authorization), at the same address. It may be empty."""

    credential_header: HeaderName | None = Field(
        default=None,
        description="The only header whose token counts, instead of authorization, api-key, x-api-key, x-goog-api-key"
        " and the session cookie.",
    )
    forward_credential: bool = Field(
        default=False,
        description="Whether headers that may carry a credential, and session cookies, are handed on to what is"
        " behind Envoy. With credential_header that header alone is not.",
    )
    origins: list[Origin] = Field(
        default_factory=list,
        description="Origins from which a session cookie may act on methods other than GET, HEAD and OPTIONS.",
    )
    base_path: BasePath | None = Field(
        default=None,
        description="What paths begin with, and routes do not; context_extensions.base_path of a route counts instead.",
    )
    model_header: HeaderName | None = Field(
        default=None,
        description="The only header that names the model, instead of the body: one that this gateway itself goes by."
        " context_extensions.model of a route counts instead of any other place.",
    )
    model_metadata: ModelMetadata | None = Field(
        default=None, description="Dynamic metadata that name the model, instead of the body."
    )
    team_header: HeaderName | None = Field(default=None, description="The header that wishes for a team by its id.")
    team_alias_header: HeaderName | None = Field(default=None, description="The header that does so by its alias.")
    identity_headers: dict[HeaderName, HeaderField] = Field(
        default_factory=lambda: dict(IDENTITY_HEADERS),  # type: ignore[arg-type]
        description="Headers that are set for what is behind Envoy, and what each says. Those that a client sent are"
        " removed, also where there is nothing to say. {}: none.",
    )
    max_body: BodySize = Field(
        default=MEBIBYTE,
        description="The largest body that is read, at least with_request_body.max_request_bytes of Envoy.",
    )
