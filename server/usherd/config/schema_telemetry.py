"""The shape of `telemetry`: what usherd tells about itself and its answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from usherd.config.fields import ClaimPathText, Queue, SecretReference, Section, Text, refuse

AskedField = Literal["route", "method", "model", "resolved_model"]
PrincipalField = Literal[
    "subject",
    "client",
    "directory_role",
    "admin",
    "user",
    "email",
    "team",
    "team_alias",
    "organization",
    "end_user",
    "scopes",
    "roles",
]
OrElse = Literal["drop", "refuse"]


def _share(value: Any) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise refuse("is no share; expected a number above 0, at most 1, as 0.01")
    return float(value)


Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
]


class DecisionLog(Section):
    """A line for each decision, apart from the log."""

    file: Text | None = Field(default=None, description="The file, relative to this one. Made with mode 0600.")
    stdout: bool = Field(default=False, description="Whether the lines go to standard output instead.")
    include: list[AskedField] = Field(
        default_factory=list, description="What of question and answer is in a line: texts that end users wrote."
    )
    principal: list[PrincipalField] = Field(
        default_factory=list, description="What of the holder is in a line, besides kind and issuer."
    )
    claims: list[ClaimPathText] = Field(
        default_factory=list, description="Claims that are in a line, of those in answer_claims."
    )
    queue: Queue = Field(default=10_000, description="Lines that may wait for the disk.")
    on_full: OrElse = Field(
        default="drop", description="When they do: whether a decision is answered without a line, or not at all."
    )
    on_error: OrElse = Field(default="drop", description="The same, while the file cannot be written.")
    sample: Share = Field(default=1.0, description="The share of ALLOW decisions with a line. Each DENY has one.")


class Traces(Section):
    """OpenTelemetry spans, one a call."""

    endpoint: Text = Field(description="An OTLP receiver: http(s)://host:port.")
    protocol: Literal["grpc", "http/protobuf"] = Field(default="grpc", description="How it is spoken to.")
    sample: Share = Field(
        default=0.01, description="The share of calls without a trace that begin one. Calls with one follow it."
    )
    headers: dict[Text, SecretReference] = Field(
        default_factory=dict, description="Headers for the receiver, each env:NAME or file:path."
    )
    include: list[AskedField] = Field(
        default_factory=list, description="What of question and answer is in a span: texts that end users wrote."
    )


class Telemetry(Section):
    """What usherd tells about itself."""

    log: Literal["auto", "json", "console"] = Field(
        default="auto", description="The form of the log; auto: console on a terminal, json elsewhere."
    )
    level: Literal["info", "debug"] = Field(
        default="info", description="debug adds a line for each decision: its id, effect, reason and request id."
    )
    metrics: Text | None = Field(
        default=None,
        description="host:port that metrics, liveness and readiness are served at over HTTP; nowhere unless given.",
    )
    decision_log: DecisionLog | None = Field(default=None, description="A line for each decision. None unless given.")
    traces: Traces | None = Field(default=None, description="OpenTelemetry traces. None unless given.")
