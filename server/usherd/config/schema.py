"""The shape of the file: every key that is taken, with its meaning. What is not here is refused."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from usherd.config.fields import (
    Backlog,
    BudgetPeriod,
    CachedTokens,
    CheckpointEvery,
    Concurrency,
    ConnectionAge,
    ConnectionGrace,
    ConnectionIdle,
    Connections,
    DatabaseUrl,
    Deadline,
    Drain,
    Entities,
    Handshake,
    HookTimeout,
    KeepAnswersFor,
    LivingDecisions,
    LivingStreams,
    MaxLifetime,
    MaxStaleness,
    ModelName,
    ModelPattern,
    Money,
    Name,
    OnOff,
    ReadWithin,
    RouteEntry,
    SecretReference,
    Section,
    SharedCacheUrl,
    Streams,
    Text,
    TokenSize,
    Workers,
)
from usherd.config.schema_callers import Caller
from usherd.config.schema_envoy import Envoy
from usherd.config.schema_issuers import Issuer
from usherd.config.schema_options import Access, Insecure
from usherd.config.schema_people import Teams, Users
from usherd.config.schema_roles import Admin, Role, RoleMapping, RolePermission, Scopes
from usherd.config.schema_sessions import Sessions
from usherd.config.schema_telemetry import Telemetry


class Token(Section):
    """Bounds for every token."""

    max_size: TokenSize = Field(default=8192, description="The longest token, as it is sent.")
    max_lifetime: MaxLifetime = Field(
        default=None,
        description="The longest time from issue to expiry: 24h unless given. none, which litellm has unless given:"
        " any, only where token.require_expiry is false.",
    )


class Routes(Section):
    """Route groups, and rules about routes that hold for everyone."""

    version: Literal["latest", "reference"] = Field(
        default="latest", description="Which LiteLLM's route groups; reference is 1.63.2."
    )
    groups: dict[Name, list[RouteEntry]] = Field(default_factory=dict, description="Groups of your own.")
    public: list[RouteEntry] = Field(default_factory=list, description="Allowed without looking at the token.")
    allowed: list[RouteEntry] | None = Field(default=None, description="If given, nothing else is allowed to anyone.")
    admin_only: list[RouteEntry] = Field(
        default_factory=list,
        description="Allowed to administrators only, besides master_key_only_routes, unless user.routes is unchecked.",
    )
    end_user_required: bool = Field(
        default=False, description="Whether requests to routes of the language models must name an end user."
    )


class GlobalBudget(Section):
    """What everyone may spend together."""

    may_be_null: ClassVar[frozenset[str]] = frozenset({"max"})

    max: Money | None = Field(default=None, description="US dollars in a period. Absent, null or 0: no such budget.")
    period: BudgetPeriod = Field(default=2592000.0, description="The time after which it begins anew.")


class Budgets(Section):
    """Whether exhausted budgets deny."""

    enforce: bool = Field(default=True, description="Whether they do.")
    together: GlobalBudget = Field(
        default=GlobalBudget(), alias="global", description="What everyone may spend together."
    )


class Hooks(Section):
    """Checks of your own."""

    validate_claims: Text | None = Field(
        default=None,
        alias="validate",
        description="A function that is given the claims of a genuine token, and refuses it by anything but true:"
        " package.module:function.",
    )
    timeout: HookTimeout = Field(default=0.05, description="How long it may take.")
    pure: bool = Field(
        default=False, description="Whether equal claims always give equal answers, so that an answer may be kept."
    )


class Model(Section):
    """One model that the gateway offers."""

    name: ModelPattern = Field(description="Its name in requests; or a pattern, as `openai/*`, for all that fit.")
    provider: Name | None = Field(default=None, description="Its provider, for wildcards such as `openai/*`.")
    groups: list[Name] = Field(default_factory=list, description="Access groups that it is in.")
    aliases: list[ModelName] = Field(default_factory=list, description="Other names for it.")


class Directory(Section):
    """Where organizations, teams, users and end users are."""

    url: DatabaseUrl | None = Field(
        default=None,
        description="The database that keeps them: sqlite:///file, relative to this file, for one machine, or"
        " postgresql://user@host/database for many; or env:NAME or file:path that hold such a URL. Absent: they are"
        " those of the seed, in memory.",
    )
    seed: Text | None = Field(
        default=None,
        description="A directory file, relative to this file. With a url, it fills a database that is empty, and is"
        " not looked at again.",
    )
    max_staleness: MaxStaleness = Field(
        default=5.0,
        description="With a url: what is held of the database is told no longer than this after it was known to be"
        " true; beyond it, there are no answers.",
    )


class Cache(Section):
    """How much is kept, and for how long."""

    tokens: CachedTokens = Field(default=100_000, description="Verified tokens that are remembered.")
    entities: Entities = Field(
        default=100_000, description="With directory.url: look-ups of the directory whose findings are held."
    )
    ttl: KeepAnswersFor = Field(default=60.0, description="How long an answer may be kept by those who ask.")
    identity_provider: SharedCacheUrl = Field(
        default="memory",
        description="Where key sets, discovery documents and introspection answers are kept: memory, or a Valkey or"
        " Redis that replicas share, redis://host:port/0, rediss://host:port/0 (TLS), unix:///path; or env:NAME or"
        " file:path that hold such a URL.",
    )
    identity_provider_key: SecretReference | None = Field(
        default=None,
        description="What is shared is sealed under this secret, the same for all replicas: env:NAME or file:path.",
    )


class ServerLimits(Section):
    """What one server takes on."""

    deadline: Deadline = Field(default=2.0, description="The longest time for one call.")
    concurrency: Concurrency = Field(default=1024, description="Questions in work at a time.")
    living_streams: LivingStreams = Field(
        default=10_000, description="Streams of living decisions at a time; they are no questions in work."
    )
    living_decisions: LivingDecisions = Field(
        default=100_000, description="Living decisions at a time, on all streams together."
    )
    read_within: ReadWithin = Field(
        default=10.0, description="How long an event may wait to be read before its stream is cut."
    )
    streams: Streams = Field(
        default=100, description="Calls at a time on one connection, living ones included; gRPC lets the rest wait."
    )
    backlog: Backlog = Field(
        default=128,
        description="Calls that may wait to be taken up, of all connections; further ones are refused.",
    )
    connections: Connections = Field(default=2000, description="Connections at a time, each a file descriptor.")
    connection_age: ConnectionAge = Field(
        default=600.0, description="How long a connection is used; the only end of streams that send no whole request."
    )
    connection_grace: ConnectionGrace = Field(default=10.0, description="How long its calls may finish after that.")
    connection_idle: ConnectionIdle = Field(default=300.0, description="How long a connection without a call stays.")
    handshake: Handshake = Field(default=5.0, description="How long a new connection may take to greet.")


class Tls(Section):
    """The server's certificate. The files are read again when they change."""

    cert: Text = Field(description="PEM file, the server's certificate first; relative to this file.")
    key: Text = Field(description="PEM file with its private key, not encrypted.")
    client_ca: Text | None = Field(
        default=None, description="PEM file of the authorities whose clients are let in; any client is unless given."
    )


class Server(Section):
    """Where and how usherd serves."""

    address: Text = Field(
        default="127.0.0.1:50051", description="host:port, [v6]:port or unix:path. Port 0: any free one."
    )
    reflection: OnOff = Field(default="auto", description="gRPC reflection; auto: on loopback only.")
    explanations: OnOff = Field(
        default="auto",
        description="Whether callers may see explanations; auto: on loopback only, and with callers those that say so.",
    )
    health: Literal["open", "callers"] = Field(
        default="open",
        description="Whom grpc.health.v1.Health/Check answers: everybody, as probes need it, or callers that may.",
    )
    limits: ServerLimits = Field(default=ServerLimits(), description="What it takes on.")
    tls: Tls | None = Field(default=None, description="Serves over TLS. Beyond this machine it is required.")
    checkpoint_every: CheckpointEvery = Field(
        default=5.0,
        description="How often a living decision is confirmed. After three times that without a word, it is unknown.",
    )
    drain: Drain = Field(default=10.0, description="How long calls may finish after a stop signal.")
    workers: Workers = Field(
        default=1, description="Processes that answer at one port; with more than one, no unix: address."
    )


def _one_or_many(value: Any) -> object:
    return [value] if isinstance(value, dict) else value


class File(Section):
    """A configuration of usherd."""

    preset: Literal["strict", "litellm"] = Field(
        default="strict", description="The table of options: strict, or the reference LiteLLM's."
    )
    issuers: list[Issuer] = Field(description="Whose tokens are taken. Never empty.")
    roles: list[Role] = Field(default_factory=list, description="Named roles.")
    admin: Annotated[list[Admin], BeforeValidator(_one_or_many)] = Field(
        default_factory=list, description="Who is an administrator: one rule, or one for each issuer."
    )
    role_mappings: list[RoleMapping] = Field(
        default_factory=list, description="Roles of the provider that mean internal roles."
    )
    role_permissions: list[RolePermission] = Field(
        default_factory=list, description="What holders of the internal roles may do at most."
    )
    scopes: Scopes = Field(default=Scopes(), description="Scopes that permit models and routes.")
    users: Users = Field(default=Users(), description="Users without a team.")
    teams: Teams = Field(default=Teams(), description="Teams.")
    token: Token = Field(default=Token(), description="Bounds for every token.")
    access: Access = Field(default=Access(), description="Who has access at all, and options by name.")
    routes: Routes = Field(default=Routes(), description="Route groups and rules about routes.")
    budgets: Budgets = Field(default=Budgets(), description="Budgets.")
    hooks: Hooks = Field(default=Hooks(), description="Checks of your own.")
    models: list[Model] = Field(
        default_factory=list,
        description="The catalogue of models. With directory.url, those of the database are in it, too.",
    )
    model_aliases: dict[ModelName, ModelName] = Field(
        default_factory=dict, description="Names that mean another model, besides the catalogue's aliases."
    )
    directory: Directory = Field(default=Directory(), description="The directory.")
    cache: Cache = Field(default=Cache(), description="What is kept.")
    callers: list[Caller] = Field(
        default_factory=list, description="Who may call: anybody who gets here, or, once there is one, nobody else."
    )
    sessions: Sessions | None = Field(
        default=None, description="Sessions of the user interface that usherd makes itself. None unless given."
    )
    envoy: Envoy | None = Field(
        default=None, description="Answers to Envoy's filter ext_authz. None unless given; it may be empty."
    )
    server: Server = Field(default=Server(), description="Where and how usherd serves.")
    telemetry: Telemetry = Field(default=Telemetry(), description="What usherd tells about itself.")
    insecure: Insecure = Field(default=Insecure(), description="What is laxer than it should be.")
