"""The shape of `access:` and `insecure:` in the file: options by name, which come from the table of all options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, create_model, model_validator

from usherd.config.fields import SecretReference, Section, Text, refuse
from usherd.options import BY_NAME, OPTIONS, OptionInfo, OptionValue

SHORT_PREFIX = "access."
"""Options that begin so may be written without it in `access:`."""


def value_text(value: OptionValue) -> str:
    """A value as the file writes it."""
    return str(value).lower() if isinstance(value, bool) else value


def _null_or_text(value: Any) -> object:
    if value is not None and not isinstance(value, str):
        raise refuse("is no shadow; expected strict, litellm, the path of another configuration, or null")
    return value


class AccessRules(Section):
    """Who has access at all, and any option by its name; values that are laxer than the preset's are refused."""

    may_be_null: ClassVar[frozenset[str]] = frozenset({"shadow"})

    enforce_rbac: bool | None = Field(
        default=None,
        description="Whether a token must hold an internal role, and may do no more than role_permissions says;"
        " under strict true as soon as role_mappings, role_permissions or users.allowed_roles are given.",
    )
    enforce_id: bool = Field(default=False, description="Whether a token must name a user or a team.")
    shadow: Annotated[Text | None, BeforeValidator(_null_or_text)] = Field(
        default=None,
        description="Answers are also computed under this preset (strict, litellm) or file, and differences are told.",
    )

    def options(self) -> Iterator[tuple[str, OptionInfo, OptionValue]]:
        """(key as written, option, value) of the options that are given."""
        yield from _given(self, _ACCESS_KEYS)


class InsecureRules(Section):
    """What is laxer than it should be, guards by their full name. Each is told at start."""

    session_master_key: SecretReference | None = Field(
        default=None,
        description="Takes HS256 sessions of LiteLLM's user interface under this key: env:NAME or file:path.",
    )
    plaintext: bool = Field(default=False, description="Serves without TLS beyond this machine.")
    loopback_http: bool = Field(default=False, description="Fetches keys over http from this machine.")
    remote_metrics: bool = Field(
        default=False, description="Serves metrics beyond this machine, to anybody and without TLS."
    )

    @model_validator(mode="before")
    @classmethod
    def _guards_only(cls, value: Any) -> Any:
        for key in value if isinstance(value, dict) else ():
            if (info := BY_NAME.get(key)) is not None and not info.guard:
                raise refuse(f"{key} is not laxer one way or the other; expected it under access")
        return value

    def options(self) -> Iterator[tuple[str, OptionInfo, OptionValue]]:
        """(key as written, option, value) of the options that are given."""
        yield from _given(self, _INSECURE_KEYS)


_Keys = Mapping[str, tuple[str, OptionInfo]]
"""(key as written, option) by the attribute of the section."""


def _given(section: Section, keys: _Keys) -> Iterator[tuple[str, OptionInfo, OptionValue]]:
    for attribute, (key, info) in keys.items():
        if attribute in section.model_fields_set:
            yield key, info, getattr(section, attribute)


def _attribute(key: str) -> str:
    return "option_" + key.replace(".", "__")


_ACCESS_KEYS: _Keys = {
    _attribute(key): (key, info)
    for info in OPTIONS
    for key in dict.fromkeys((info.name, info.name.removeprefix(SHORT_PREFIX)))
}
_INSECURE_KEYS: _Keys = {_attribute(info.name): (info.name, info) for info in OPTIONS if info.guard}


def _with_options(name: str, base: type[Section], keys: _Keys) -> type[Section]:
    fields: dict[str, Any] = {}
    for attribute, (key, info) in keys.items():
        kind: Any = bool if isinstance(info.strict, bool) else Literal[info.strict, info.litellm]
        about = f"{info.meaning} strict: {value_text(info.strict)}; litellm: {value_text(info.litellm)}."
        fields[attribute] = (kind | None, Field(default=None, alias=key, description=about))
    return create_model(name, __base__=base, __doc__=base.__doc__, __module__=__name__, **fields)


if TYPE_CHECKING:
    Access = AccessRules
    Insecure = InsecureRules
else:
    Access = _with_options("Access", AccessRules, _ACCESS_KEYS)
    Insecure = _with_options("Insecure", InsecureRules, _INSECURE_KEYS)
