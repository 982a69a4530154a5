"""The shape of `callers:` in the file: who may call, what they show, and what they may ask."""

from __future__ import annotations

from pydantic import Field

from usherd.config.fields import (
    EmailPatterns,
    Fingerprints,
    HostPatterns,
    Name,
    Networks,
    Rpcs,
    SecretReferences,
    Section,
    SpiffePatterns,
    Texts,
)


class San(Section):
    """Names in the certificate (subjectAltName). Each kind that is given must be there, with one of its values."""

    dns: HostPatterns = Field(default_factory=list, description="Host names; *.example.com is any one label.")
    uri: Texts = Field(default_factory=list, description="URIs, compared whole.")
    ip: Networks = Field(default_factory=list, description="Addresses, or networks such as 10.0.0.0/24.")
    email: EmailPatterns = Field(default_factory=list, description="Addresses; *@example.com is any of the domain.")


class Caller(Section):
    """A caller: a gateway, or another program. All that is given here must be shown; of a list, one will do."""

    name: Name = Field(description="Its name, in metrics and logs.")
    spiffe: SpiffePatterns = Field(
        default_factory=list,
        description="The SPIFFE ID of its certificate: * is one segment, and at the end one or more.",
    )
    san: San = Field(default=San(), description="Names in its certificate.")
    fingerprint: Fingerprints = Field(default_factory=list, description="The SHA-256 of its certificate.")
    credential: SecretReferences = Field(
        default_factory=list,
        description="What it sends as `authorization: Bearer`, env:NAME or file:path; several, while they are changed.",
    )
    rpcs: Rpcs = Field(description="What it may call: Service/Method, or Service/* for all of a service.")
    explain: bool = Field(default=False, description="Whether it may see explanations.")
