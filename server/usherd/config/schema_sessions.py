"""The shape of `sessions:` in the file: sessions of the user interface that usherd makes itself."""

from __future__ import annotations

from pydantic import Field

from usherd.config.fields import KeyRotation, Name, RouteEntry, SecretReferences, Section, SessionLifetime, Text
from usherd.config.route_sets import SESSION_ROUTES


class Sessions(Section):
    """Sessions of the user interface, signed by keys of usherd's own. They need a directory that is kept."""

    key_encryption: SecretReferences = Field(
        description="What signing keys are encrypted under where they are kept: env:NAME or file:path with 32 bytes in"
        " base64, the same for all replicas; or a list, of which the first encrypts, and every one decrypts.",
    )
    lifetime: SessionLifetime = Field(default=86400.0, description="How long a session lasts at most.")
    rotate_every: KeyRotation = Field(default=2592000.0, description="How long a key signs.")
    issuer: Text = Field(default="usherd", description="The claim iss of their tokens. No issuer may have it.")
    audience: Text = Field(default="usherd-ui", description="The claim aud of their tokens.")
    http: Text | None = Field(
        default=None,
        description="host:port that the key set (/.well-known/jwks.json) and /sso/session/validate are served at;"
        " nowhere unless given. With server.tls over TLS, which is required beyond this machine.",
    )
    routes: list[RouteEntry] = Field(
        default_factory=lambda: list(SESSION_ROUTES),
        description="What every session opens, without a model, besides what its role does.",
    )
    premium: bool = Field(default=False, description="What sessions say as premium.")
    auth_header_name: Name = Field(default="Authorization", description="What sessions say as auth_header_name.")
    personal_keys_disabled: bool = Field(default=False, description="What sessions say as personal_keys_disabled.")
