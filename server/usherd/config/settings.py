"""What the edges of the daemon are told: frozen values, like the policy for the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from usherd.callers import CallerRule
from usherd.facts import Rows
from usherd.inbound.handed_on import GatewayRules
from usherd.options import STRICT, Options
from usherd.policy import Policy

OnOff = Literal["auto", "on", "off"]
"""`auto`: on where only this machine gets to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSettings:
    """How a key set that is fetched is kept. All in seconds."""

    every: float
    stale_for: float
    removed_grace: float
    unknown_kid_cooldown: float
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionSettings:
    """How one issuer is asked about its tokens. Times in seconds."""

    url: str
    client_id: str
    client_secret: bytes = field(repr=False)
    """UTF-8."""
    client_auth: Literal["basic", "post"]
    timeout: float
    cache_for: float
    cache_inactive_for: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCacheSettings:
    """The Valkey or Redis that replicas share."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The database that keeps the directory."""

    at: str
    """Where that is, without anything secret."""
    url: str = field(repr=False)
    max_staleness: float
    """Seconds."""
    entities: int
    """Look-ups of it that are held in memory."""
    seed: Literal["fills an empty store, and is not looked at again"] = (
        "fills an empty store, and is not looked at again"
    )
    """What becomes of the rows of the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """Where one issuer's keys come from, or how it is asked instead. Exactly one of the sources is given."""

    name: str
    """The issuer's name in the policy."""
    issuer: str
    """The exact value of `iss`."""
    algorithms: frozenset[str]
    """What the issuer may use."""
    algorithms_given: bool
    """Whether the configuration names the algorithms, or the default is in force."""
    discovery_url: str | None = None
    jwks_urls: tuple[str, ...] = ()
    jwks: Mapping[str, object] | None = field(default=None, repr=False)
    jwks_file: Path | None = None
    pem_file: Path | None = None
    introspection: IntrospectionSettings | None = None
    refresh: RefreshSettings
    denied: frozenset[str] = frozenset()
    options: Options = STRICT
    """How published keys are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """PEM files of the server's TLS."""

    cert: Path
    key: Path
    client_ca: Path | None = None
    """None: any client is let in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where and how to serve. Times in seconds."""

    address: str
    reflection: OnOff
    explanations: OnOff
    health: Literal["open", "callers"]
    """Who may ask for health: everybody, or callers that may."""
    tls: TlsSettings | None
    deadline: float
    concurrency: int
    streams: int
    backlog: int
    connections: int
    connection_age: float
    connection_grace: float
    connection_idle: float
    handshake: float
    living_streams: int = 10_000
    living_decisions: int = 100_000
    checkpoint_every: float = 5.0
    read_within: float = 10.0
    drain: float
    workers: int
    """Processes that answer at one port."""
    plaintext_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLogSettings:
    """Where and how decisions are written down."""

    file: Path | None
    """None: standard output."""
    include: frozenset[str]
    principal: tuple[str, ...]
    claims: frozenset[str]
    queue: int
    """Lines that may wait."""
    on_full: Literal["drop", "refuse"]
    on_error: Literal["drop", "refuse"]
    sample: float
    """The share of ALLOW decisions that are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracesSettings:
    """Where OpenTelemetry spans go, and which."""

    endpoint: str
    protocol: Literal["grpc", "http/protobuf"]
    sample: float
    """The share of calls without a trace that begin one."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    include: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Where metrics and health are served over HTTP."""

    address: str
    """`host:port`. Port 0: any free one."""
    remote_allowed: bool = False
    """Whether other machines may reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How sessions are kept, and where they are told. What they say is the policy's."""

    key_encryption: tuple[bytes, ...] = field(repr=False)
    """32 bytes each: the first encrypts, every one decrypts."""
    rotate_every: float
    """Seconds that a key signs."""
    lifetime: float
    """Seconds that a session lasts at most."""
    http: str | None
    """`host:port`; None: they are not told over HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """The operator's own check on the claims of a genuine token."""

    name: str
    """As the file has it: `package.module:function`."""
    call: Callable[[Mapping[str, object]], object]
    """Takes the claims; its answer, or what its answer gives when awaited, is true to go on."""
    timeout: float
    """Seconds that it may take."""
    pure: bool = False
    """Whether equal claims always give equal answers, so that an answer may be remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration, checked."""

    policy: Policy
    keys: tuple[KeySettings, ...]
    directory: Rows
    """What the directory begins with; where there is no store, all of it."""
    cached_tokens: int
    server: ServerSettings
    log: Literal["auto", "json", "console"]
    """`auto`: whatever suits the place where the log goes."""
    log_level: str
    """`info` or `debug`."""
    loopback_http: bool
    budget_period: float = 2592000.0
    """Seconds after which the global budget begins anew."""
    hook: HookSettings | None = None
    """The operator's own check; None: there is none."""
    envoy: GatewayRules | None = None
    """How Envoy's requests are read; None: Envoy is not answered."""
    callers: tuple[CallerRule, ...] = ()
    """Who may call, in the order in which they are tried; empty: anybody who gets here."""
    decision_log: DecisionLogSettings | None = None
    """None: decisions are not written down."""
    traces: TracesSettings | None = None
    """None: there are no spans."""
    metrics: MetricsSettings | None = None
    """None: they are served nowhere, and nothing is measured."""
    shared_cache: SharedCacheSettings | None = None
    """None: what comes from identity providers is kept in memory."""
    sessions: SessionSettings | None = None
    """None: usherd makes none."""
    store: StoreSettings | None = None
    """What keeps the directory; None: it is the rows above, in memory."""
    shadow: Policy | None = None
    """The policy under which every answer is computed as well, to tell the difference; None: none."""

    @property
    def only_issuer(self) -> str | None:
        """The name of the issuer, if there is just one: rows of the directory that name none belong to it."""
        return self.keys[0].name if len(self.keys) == 1 else None
