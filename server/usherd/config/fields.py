"""The kinds of values that the file's models are made of: each refuses in plain words what it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from usherd import claim_paths
from usherd.config import evidence, patterns, scalars, texts
from usherd.config.latitude import STRICT, Latitude
from usherd.config.problems import Unusable

NO_BOUND = "none"
"""What a bound is that does not bind."""
PLAIN = "plain"
"""The type of errors whose text is ours already."""

JsonSchema = dict[str, Any]


def refuse(text: str) -> PydanticCustomError:
    """An error whose text is shown as it is."""
    return PydanticCustomError(PLAIN, "{text}", {"text": text})


class Section(BaseModel):
    """A mapping of the file. Types are taken as they are written, and a key that is not known is refused.

    A key that may be left out must not be left empty: absent is often no restriction, and a list whose last entry
    was deleted must not become one.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)
    null_is_none: ClassVar[bool] = False
    """Whether null may stand for "there is no such thing" in this section."""
    may_be_null: ClassVar[frozenset[str]] = frozenset()
    """Keys for which it may do so although the others must not be left empty."""

    @field_validator("*", mode="before")
    @classmethod
    def _not_left_empty(cls, value: Any, info: ValidationInfo) -> Any:
        key = cls.model_fields[str(info.field_name)]
        optional = not key.is_required() and key.default is None
        # Validators of the key's own say what they expect instead.
        nullable = cls.null_is_none or info.field_name in cls.may_be_null
        if value is None and optional and not nullable and not key.metadata:
            if any(get_origin(part) is list for part in get_args(key.annotation)):
                raise refuse("is empty; expected a list: write [] for nothing, leave the key out for no restriction")
            raise refuse("is empty; expected a value, or no such key")
        return value


def _validator(check: Callable[[Any], object]) -> BeforeValidator:
    def validate(value: Any) -> object:
        try:
            return check(value)
        except (Unusable, claim_paths.ClaimPathError) as error:
            raise refuse(str(error)) from None

    return BeforeValidator(validate)


def text_that(check: Callable[[str], object]) -> BeforeValidator:
    """For texts only; other types are left to pydantic's strict check."""

    def validate(value: Any) -> object:
        if isinstance(value, str):
            check(value)
        return value

    return _validator(validate)


def text_by_latitude(strict: Callable[[str], object], free: Callable[[str], object], ask: str) -> BeforeValidator:
    """As `text_that`, with another check where the file's latitude has the attribute `ask`."""

    def validate(value: Any, info: ValidationInfo) -> object:
        latitude = info.context if isinstance(info.context, Latitude) else STRICT
        try:
            if isinstance(value, str):
                (free if getattr(latitude, ask) else strict)(value)
        except (Unusable, claim_paths.ClaimPathError) as error:
            raise refuse(str(error)) from None
        return value

    return BeforeValidator(validate)


def _no_key_set(value: str) -> None:
    raise Unusable("is a text; expected a key set written here; one in a file is jwks_file, at a URL jwks_url")


def _one_or_many(value: Any) -> object:
    return [value] if isinstance(value, str) else value


def _none_one_or_many(value: Any) -> object:
    return [] if value is None else _one_or_many(value)


def _all_or_list(value: Any) -> object:
    if value == "all":
        return None
    if value is None or not isinstance(value, list):
        raise Unusable("is neither all nor a list; expected all, or a list of names")
    return value


def _true_or_text(value: Any) -> object:
    if value is not True and not isinstance(value, str):
        raise Unusable("is neither true nor a URL; expected true for the issuer's own discovery document, or its URL")
    return value


def _true_or_texts(value: Any) -> object:
    if value is True:
        return [""]
    if isinstance(value, str) and value:
        return [value]
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise Unusable(
            "is neither true nor a list of prefixes; expected true for all opaque tokens, or what its own begin with"
        )
    return value


def _list_not_null(value: Any) -> object:
    if value is None:
        raise Unusable("is empty; expected at least one algorithm, or no such key")
    return value


def _audiences_not_null(value: Any) -> object:
    if value is None:
        raise Unusable("is empty; expected at least one: tokens for others would be taken, too")
    return value


def _duration(least: str, most: str) -> Any:
    low, high = scalars.seconds(least), scalars.seconds(most)
    schema = {
        "type": "string",
        "pattern": r"^[0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d)$",
        "$comment": f"{least} to {most}",
    }
    return Annotated[float, _validator(lambda value: scalars.bounded_seconds(value, low, high)), WithJsonSchema(schema)]


def _duration_or_none(least: str, most: str) -> Any:
    low, high = scalars.seconds(least), scalars.seconds(most)
    schema = {
        "type": "string",
        "pattern": r"^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d)|none)$",
        "$comment": f"{least} to {most}, or none",
    }

    def check(value: Any) -> object:
        return value if value == NO_BOUND else scalars.bounded_seconds(value, low, high)

    return Annotated[float | Literal["none"] | None, _validator(check), WithJsonSchema(schema)]


def _size(least: str, most: str) -> Any:
    low, high = scalars.bounded_bytes(least, 0, 2**30), scalars.bounded_bytes(most, 0, 2**30)
    schema = {"type": "string", "pattern": r"^[0-9]{1,9}(B|KiB|MiB)$", "$comment": f"{least} to {most}"}
    return Annotated[int, _validator(lambda value: scalars.bounded_bytes(value, low, high)), WithJsonSchema(schema)]


def _count(least: int, most: int) -> Any:
    def check(value: Any) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and not least <= value <= most:
            raise Unusable(f"{value} is out of bounds; expected {least} to {most}")
        return value

    return Annotated[int, _validator(check), WithJsonSchema({"type": "integer", "minimum": least, "maximum": most})]


_TEXT_OR_TEXTS: JsonSchema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_SECRET_REFERENCE: JsonSchema = {"type": "string", "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"}
_ALL_OR_TEXTS: JsonSchema = {"anyOf": [{"const": "all"}, {"type": "array", "items": {"type": "string"}}]}


def _texts_that(check: Callable[[str], object]) -> Any:
    return Annotated[
        list[Annotated[str, text_that(check)]], BeforeValidator(_one_or_many), WithJsonSchema(_TEXT_OR_TEXTS)
    ]


Text = Annotated[str, text_that(texts.check_printable)]
Name = Annotated[str, text_that(patterns.check_name)]
IssuerName = Annotated[str, text_that(texts.check_issuer_name)]
Iss = Annotated[str, text_that(texts.check_iss)]
ClaimName = Annotated[str, text_that(texts.check_claim_name)]
ClaimPathText = Annotated[str, text_by_latitude(texts.check_claim_path, claim_paths.parse, "any_text")]
FreeText = Annotated[str, text_by_latitude(texts.check_printable, texts.check_short, "any_text")]
"""Roles, scopes and domains of a provider: whatever it may call them."""
HeaderName = Annotated[str, text_that(texts.check_header)]
Origin = Annotated[str, text_that(texts.check_origin)]
BasePath = Annotated[str, text_that(texts.check_base_path)]
Scope = Annotated[str, text_by_latitude(texts.check_scope, texts.check_short, "any_text")]
Domain = Annotated[str, text_by_latitude(texts.check_domain, texts.check_short, "any_text")]
Id = Annotated[str, text_by_latitude(texts.check_id, texts.check_short, "any_text")]
RouteEntry = Annotated[str, text_by_latitude(texts.check_printable, patterns.check_literal_route, "literal_routes")]
ModelName = Annotated[str, text_by_latitude(patterns.check_model_name, patterns.check_any_model, "any_text")]
ModelPattern = Annotated[str, text_by_latitude(patterns.check_model_pattern, patterns.check_any_model, "any_text")]
ModelEntry = Annotated[str, text_by_latitude(patterns.check_model_entry, patterns.check_any_model, "any_text")]
Texts = Annotated[list[Text], BeforeValidator(_one_or_many), WithJsonSchema(_TEXT_OR_TEXTS)]
ClaimPathTexts = Annotated[list[ClaimPathText], BeforeValidator(_none_one_or_many), WithJsonSchema(_TEXT_OR_TEXTS)]
AllOrTexts = Annotated[list[Text] | None, _validator(_all_or_list), WithJsonSchema(_ALL_OR_TEXTS)]
TrueOrText = Annotated[
    bool | str | None,
    _validator(_true_or_text),
    WithJsonSchema({"anyOf": [{"const": True}, {"type": "string"}]}),
]
KeySetHere = Annotated[dict[str, Any], text_that(_no_key_set)]
OpaqueTokens = Annotated[
    list[str] | None,
    _validator(_true_or_texts),
    WithJsonSchema({"anyOf": [{"const": True}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""Prefixes; the empty text for `true`. None only where nothing is written."""
SecretReference = Annotated[
    str,
    _validator(scalars.check_secret_reference),
    WithJsonSchema(_SECRET_REFERENCE),
]
SharedCacheUrl = Annotated[
    str,
    _validator(scalars.check_cache),
    WithJsonSchema({"anyOf": [{"const": "memory"}, _SECRET_REFERENCE, {"type": "string"}]}),
]
DatabaseUrl = Annotated[
    str,
    _validator(scalars.check_database),
    WithJsonSchema({"anyOf": [_SECRET_REFERENCE, {"type": "string", "pattern": "^(sqlite|postgres(ql)?)://"}]}),
]
SecretReferences = Annotated[list[SecretReference], BeforeValidator(_one_or_many), WithJsonSchema(_TEXT_OR_TEXTS)]
SpiffePatterns = _texts_that(evidence.check_spiffe)
HostPatterns = _texts_that(evidence.check_host)
EmailPatterns = _texts_that(evidence.check_email)
Networks = _texts_that(evidence.check_network)
Fingerprints = _texts_that(evidence.check_fingerprint)
Rpcs = _texts_that(evidence.check_rpc)
Money = Annotated[
    int,
    _validator(scalars.micro_usd),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}),
]

RefreshEvery = _duration("10s", "1d")
StaleFor = _duration("0s", "7d")
RemovedGrace = _duration("0s", "30d")
UnknownKidCooldown = _duration("1s", "1h")
FetchTimeout = _duration("100ms", "60s")
AskTimeout = _duration("50ms", "10s")
AnswerFor = _duration("1s", "5m")
RefusalFor = _duration("0s", "1m")
Leeway = _duration("0s", "300s")
MaxLifetime = _duration_or_none("1s", "25h")
"""An hour more than what strict gives: Entra's tokens for managed identities live for 24 hours and 5 minutes."""
KeepAnswersFor = _duration("0s", "1h")
Deadline = _duration("10ms", "60s")
HookTimeout = _duration("1ms", "5s")
Drain = _duration("0s", "10m")
BudgetPeriod = _duration("1s", "3660d")
TokenSize = _size("512B", "64KiB")
BodySize = _size("1KiB", "32MiB")
CachedTokens = _count(1, 10_000_000)
Entities = _count(1000, 10_000_000)
MaxStaleness = _duration("1s", "60s")
Concurrency = _count(1, 100_000)
Queue = _count(1000, 1_000_000)
Streams = _count(64, 10_000)
"""Clients put 64 calls on a connection that they watch on, and do not learn of it where the server takes fewer."""
Backlog = _count(4, 100_000)
Connections = _count(1, 100_000)
ConnectionAge = _duration("1s", "1d")
CheckpointEvery = _duration("500ms", "1m")
LivingStreams = _count(1, 30_000)
LivingDecisions = _count(1, 1_000_000)
ReadWithin = _duration("1s", "1m")
ConnectionGrace = _duration("0s", "10m")
ConnectionIdle = _duration("1s", "1d")
Handshake = _duration("100ms", "60s")
SessionLifetime = _duration("1m", "7d")
KeyRotation = _duration("1h", "366d")
Workers = _count(1, 64)
PerMinute = _count(1, 1_000_000)
Rate = _count(0, 2**53)

OnOff = Literal["auto", "on", "off"]
_Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Algorithms = Annotated[list[_Algorithm] | None, _validator(_list_not_null)]
"""None only where nothing is written: an empty value must not mean every algorithm."""
Audiences = Annotated[list[FreeText] | None, _validator(_audiences_not_null)]
"""None only where nothing is written, as for algorithms."""
