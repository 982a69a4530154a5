"""Names the places that an issuer's keys can come from, and how often they are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from usherd.authenticate.key_rules import DEFAULT_RSA_ALGORITHMS
from usherd.options import STRICT, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """How a key set that is fetched is kept. All in seconds."""

    every: float = 600.0
    """From one refresh to the next, at most."""
    stale_for: float = 3600.0
    """How much longer than `every` the last good set serves when no refresh succeeds."""
    removed_grace: float = 72 * 3600.0
    """How long a key is trusted after it was last seen in a set: some issuers' keys come and go for hours."""
    unknown_kid_cooldown: float = 30.0
    """At most one refresh in this time is forced by key ids that no set has."""
    timeout: float = 5.0
    """For one document, from the first byte sent to the last received."""

    def __post_init__(self) -> None:
        if not (self.every > 0 and self.timeout > 0):
            raise ValueError("refresh: every and timeout: expected more than 0")
        if not (self.stale_for >= 0 and self.removed_grace >= 0 and self.unknown_kid_cooldown >= 1):
            raise ValueError("refresh: expected stale_for and removed_grace not below 0, unknown_kid_cooldown from 1s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The key set that the issuer's discovery document names."""

    url: str | None = field(default=None, repr=False)
    """None: the issuer, with `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0, section 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySetUrls:
    """Key sets at fixed URLs. Each is fetched, kept and goes stale on its own; a key of any of them is good.

    A key id that means two different keys in two of them means none, and so does one that any of them withdraws.
    """

    urls: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("key sets: expected at least one URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenKeySet:
    """A key set that is written in the configuration, or that stands in a file which is read once, at start."""

    document: Mapping[str, object] | list[object] | Path = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PemFile:
    """A PEM public key or X.509 certificate, or a JSON object of such by key id; read once, at start."""

    path: Path


KeySource = Discovery | KeySetUrls | GivenKeySet | PemFile


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKeys:
    """Where one issuer's keys come from, and what they may do."""

    name: str
    """The issuer's name in the policy."""
    issuer: str
    """The exact value of `iss`, which a discovery document must repeat; `ANY_ISSUER` where none is looked at."""
    algorithms: frozenset[str]
    """What the policy lets the issuer use. Nothing that a provider publishes widens it."""
    source: KeySource
    rsa_algorithms: frozenset[str] = DEFAULT_RSA_ALGORITHMS
    """What an RSA key may verify that names no algorithm: the ones configured, or RS256 if none are."""
    refresh: Refresh = Refresh()
    denied: frozenset[str] = frozenset()
    """Key ids and thumbprints that are never trusted, whatever a key set says."""
    options: Options = STRICT
    """How key documents are read: those of `keys.*`."""

    @property
    def only_published(self) -> bool:
        """Whether a token without a key id needs its key to be all that the document has."""
        return self.options.kidless_token == "only_published"  # noqa: S105 (no password)


def discovery_url(issuer: str) -> str:
    """Where the issuer's discovery document is (OpenID Connect Discovery 1.0, section 4.1)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"
