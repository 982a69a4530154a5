"""The shape of the file: every key that is taken, with its meaning. What is not here is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from usherd.config.fields import (
    CachedTokens,
    ClaimPathText,
    Concurrency,
    Deadline,
    Drain,
    KeepAnswersFor,
    MaxLifetime,
    ModelEntry,
    ModelName,
    Name,
    OnOff,
    SecretReference,
    Section,
    Text,
    Texts,
    TokenSize,
)
from usherd.config.schema_issuers import Issuer

Holder = Literal["user", "service"]


class Grant(Section):
    """Routes and models that go together."""

    routes: list[Text] = Field(default_factory=list, description="Paths, templates, route groups. Empty: none.")
    models: list[ModelEntry] = Field(
        default_factory=list, description="Names, wildcards, access-group/NAME. Empty: none; `*`: all."
    )


class Role(Section):
    """A named role: which tokens hold it, and what it grants."""

    name: Name = Field(description="What explanations and principals call it.")
    issuer: Text | None = Field(
        default=None, description="Whose tokens can hold it; required with more than one issuer."
    )
    when: dict[ClaimPathText, Texts] = Field(
        description="Claims with the values or patterns that fit; all must be met. Never empty."
    )
    holders: list[Holder] = Field(
        default=["user", "service"], alias="for", description="Kinds of principals that can hold it."
    )
    grants: Grant = Field(default=Grant(), description="What it opens.")
    deny: Grant = Field(default=Grant(), description="What it closes, whatever else opens it.")


class Admin(Section):
    """Who is an administrator, and which routes that opens."""

    issuer: Text | None = Field(default=None, description="Whose tokens; required with more than one issuer.")
    scopes: list[Text] = Field(description="One of these scopes makes an administrator. Never empty.")
    routes: list[Text] = Field(
        default_factory=lambda: ["management_routes", "info_routes"],
        description="What administrators may call, with every model.",
    )


class Users(Section):
    """What users of the directory may call without a team."""

    routes: list[Text] = Field(default_factory=list, description="Routes for the models of the user's row.")


class Teams(Section):
    """How a team is chosen, and what it opens."""

    required: Literal["none", "claim", "any"] = Field(
        default="none", description="claim: the token must name an existing team; any: the default team will do."
    )
    default: Text | None = Field(
        default=None, description="Team that gives limits to tokens without a team. It opens nothing."
    )
    routes: list[Text] = Field(
        default_factory=lambda: ["openai_routes", "info_routes"], description="Routes for the models of the team's row."
    )
    priority: list[Text] = Field(default_factory=list, description="Team ids, in the order in which they are tried.")


class Token(Section):
    """Bounds for every token."""

    max_size: TokenSize = Field(default=8192, description="The longest token, as it is sent.")
    max_lifetime: MaxLifetime = Field(default=86400.0, description="The longest time from issue to expiry.")


class Routes(Section):
    """Route groups, and rules about routes that hold for everyone."""

    version: Literal["latest", "reference"] = Field(
        default="latest", description="Which LiteLLM's route groups; reference is 1.63.2."
    )
    groups: dict[Name, list[Text]] = Field(default_factory=dict, description="Groups of your own.")
    public: list[Text] = Field(default_factory=list, description="Allowed without looking at the token.")
    allowed: list[Text] | None = Field(default=None, description="If given, nothing else is allowed to anyone.")
    admin_only: list[Text] = Field(
        default_factory=list, description="Allowed to administrators only, besides master_key_only_routes."
    )


class Model(Section):
    """One model that the gateway offers."""

    name: ModelName = Field(description="Its name in requests.")
    provider: Name | None = Field(default=None, description="Its provider, for wildcards such as `openai/*`.")
    groups: list[Name] = Field(default_factory=list, description="Access groups that it is in.")
    aliases: list[ModelName] = Field(default_factory=list, description="Other names for it.")


class Directory(Section):
    """Where organizations, teams, users and end users are."""

    seed: Text | None = Field(default=None, description="A directory file, relative to this file.")


class Cache(Section):
    """How much is kept, and for how long."""

    tokens: CachedTokens = Field(default=100_000, description="Verified tokens that are remembered.")
    ttl: KeepAnswersFor = Field(default=60.0, description="How long an answer may be kept by those who ask.")


class ServerLimits(Section):
    """What one server takes on."""

    deadline: Deadline = Field(default=2.0, description="The longest time for one call.")
    concurrency: Concurrency = Field(default=1024, description="Questions in work at a time.")


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
        default="auto", description="Whether callers may see explanations; auto: on loopback only."
    )
    limits: ServerLimits = Field(default=ServerLimits(), description="What it takes on.")
    tls: Tls | None = Field(default=None, description="Serves over TLS. Beyond this machine it is required.")
    drain: Drain = Field(default=10.0, description="How long calls may finish after a stop signal.")


class Telemetry(Section):
    """What usherd tells about itself."""

    log: Literal["auto", "json", "console"] = Field(
        default="auto", description="The form of the log; auto: console on a terminal, json elsewhere."
    )
    level: Literal["info", "debug"] = Field(
        default="info", description="debug adds a line for each decision: its id, effect, reason and request id."
    )


class Insecure(Section):
    """What is laxer than it should be. Each is told at start."""

    session_master_key: SecretReference | None = Field(
        default=None,
        description="Takes HS256 sessions of LiteLLM's user interface under this key: env:NAME or file:path.",
    )
    plaintext: bool = Field(default=False, description="Serves without TLS beyond this machine.")
    loopback_http: bool = Field(default=False, description="Fetches keys over http from this machine.")


def _one_or_many(value: Any) -> object:
    return [value] if isinstance(value, dict) else value


class File(Section):
    """A configuration of usherd."""

    preset: Literal["strict"] = Field(default="strict", description="The table of defaults.")
    issuers: list[Issuer] = Field(description="Whose tokens are taken. Never empty.")
    roles: list[Role] = Field(default_factory=list, description="Named roles.")
    admin: Annotated[list[Admin], BeforeValidator(_one_or_many)] = Field(
        default_factory=list, description="Who is an administrator: one rule, or one for each issuer."
    )
    users: Users = Field(default=Users(), description="Users without a team.")
    teams: Teams = Field(default=Teams(), description="Teams.")
    token: Token = Field(default=Token(), description="Bounds for every token.")
    routes: Routes = Field(default=Routes(), description="Route groups and rules about routes.")
    models: list[Model] = Field(default_factory=list, description="The catalogue of models.")
    directory: Directory = Field(default=Directory(), description="The directory.")
    cache: Cache = Field(default=Cache(), description="What is kept.")
    server: Server = Field(default=Server(), description="Where and how usherd serves.")
    telemetry: Telemetry = Field(default=Telemetry(), description="What usherd tells about itself.")
    insecure: Insecure = Field(default=Insecure(), description="What is laxer than it should be.")
