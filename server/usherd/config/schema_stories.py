"""The shape of a file of stories: what is asked under which policy, and what must be answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from usherd.config.fields import BudgetPeriod, Money, Rate, Section, Text, refuse

KeyType = Literal["RSA", "RSA-1024", "P-256", "P-384", "P-521", "Ed25519"]
Effect = Literal["ALLOW", "DENY"]
Part = Literal["keys", "directory", "provisioning"]


def _named(value: Any) -> object:
    """A fixture by its name alone, or a mapping."""
    return {"fixture": value} if isinstance(value, str) else value


def _mapping_or_path(value: Any) -> object:
    if value is not None and not isinstance(value, str | dict):
        raise refuse("is neither a mapping nor a text; expected it written here, or the path of a file")
    return value


Claims = Annotated[dict[str, Any], BeforeValidator(_named)]
HereOrFile = Annotated[Any, BeforeValidator(_mapping_or_path)]


class Ask(Section):
    """What is asked; null leaves a part of a fixture out."""

    null_is_none = True

    fixture: Text | None = Field(default=None, description="Name of one of the fixtures' asks, which this changes.")
    route: str | None = Field(default=None, description="The path of the request.")
    method: str | None = Field(default=None, description="The HTTP method.")
    model: str | None = Field(default=None, description="The model asked for.")
    fallback_models: list[str] | None = Field(default=None, description="Models to fall back to.")
    team_id: str | None = Field(default=None, description="The team wished for, by id.")
    team_alias: str | None = Field(default=None, description="The team wished for, by alias.")
    end_user_id: str | None = Field(default=None, description="The end user that the request names.")
    organization_id: str | None = Field(default=None, description="The organization that the request acts on.")
    modifies_guardrails: bool | None = Field(default=None, description="Whether the request changes guardrails.")


AskOrName = Annotated[Ask, BeforeValidator(_named)]


class Member(Section):
    """A user within a team."""

    team: Text = Field(description="The team's id.")
    user: Text = Field(description="The user's directory id.")


class Usage(Section):
    """What one owner of a budget has spent, in addition to what it had."""

    spend: Money = Field(description="US dollars.")
    everyone: bool = Field(default=False, alias="global", description="Everyone together.")
    organization: Text | None = Field(default=None, description="Id of the organization that spent it.")
    team: Text | None = Field(default=None, description="Id of the team that spent it.")
    user: Text | None = Field(default=None, description="Directory id of the user that spent it.")
    member: Member | None = Field(default=None, description="The member that spent it.")
    end_user: Text | None = Field(default=None, description="Id of the end user that spent it.")


class ExpectedLimit(Section):
    """The limits of one row. What is not named is not looked at."""

    null_is_none = True

    tpm: Rate | None = Field(default=None, description="Tokens a minute.")
    rpm: Rate | None = Field(default=None, description="Requests a minute.")
    max_budget: Money | None = Field(default=None, description="US dollars.")
    budget_period: BudgetPeriod | None = Field(default=None, description="After which the budget begins anew.")
    models: list[str] | None = Field(default=None, description="The row's models.")


class ExpectedLimits(Section):
    """What the gateway is told to enforce. Null: that row sets nothing."""

    null_is_none = True

    team: ExpectedLimit | None = Field(default=None, description="The team's.")
    user: ExpectedLimit | None = Field(default=None, description="The user's.")
    member: ExpectedLimit | None = Field(default=None, description="The member's.")


class ExpectedShadow(Section):
    """What the candidate policy of `access.shadow` would answer. Null: it has no answer."""

    null_is_none = True

    effect: Effect | None = Field(default=None, description="Whether the request might pass.")
    reason: Text | None = Field(default=None, description="The reason by its name in the contract.")


class Expect(Section):
    """What must be answered. What is not named is not looked at; null: there is no such thing."""

    null_is_none = True

    effect: Effect | None = Field(default=None, description="Whether the request may pass.")
    reason: Text | None = Field(default=None, description="The reason by its name in the contract.")
    http_status: int | None = Field(default=None, description="What the end user is answered with.")
    www_authenticate: str | None = Field(default=None, description="The header that goes with it.")
    kind: Literal["USER", "SERVICE", "SESSION", "ANONYMOUS"] | None = Field(
        default=None, description="What kind of principal holds the token."
    )
    issuer: str | None = Field(default=None, description="The principal's `iss`.")
    subject: str | None = Field(default=None, description="The principal's subject.")
    client: str | None = Field(default=None, description="The principal's client application.")
    user: str | None = Field(default=None, description="The user's id.")
    email: str | None = Field(default=None, description="The user's e-mail address.")
    directory_role: str | None = Field(default=None, description="The role in the directory.")
    admin: bool | None = Field(default=None, description="Whether the principal is an administrator.")
    roles: list[str] | None = Field(default=None, description="The named roles held, sorted.")
    scopes: list[str] | None = Field(default=None, description="The token's scopes.")
    team: str | None = Field(default=None, description="Id of the chosen team.")
    team_alias: str | None = Field(default=None, description="Its alias.")
    organization: str | None = Field(default=None, description="Id of the organization.")
    end_user: str | None = Field(default=None, description="Id of the end user.")
    claims: dict[str, Any] | None = Field(default=None, description="The claims that the answer passes on, all.")
    resolved_model: str | None = Field(default=None, description="The model that an alias or URL meant.")
    models: list[str] | None = Field(
        default=None, description="All models of the catalogue that the question would be allowed with, sorted."
    )
    limits: ExpectedLimits | None = Field(default=None, description="What the gateway is told to enforce.")
    shadow: ExpectedShadow | None = Field(default=None, description="What the candidate policy would answer.")
    writes: list[dict[str, dict[str, Any]]] | None = Field(
        default=None, description="What is written to the directory, in order: `create_user: {id: ...}` and the like."
    )
    fault: Text | None = Field(default=None, description="There is no decision, for this reason of the contract.")
    problem: Text | None = Field(
        default=None, description="The policy does not load, and this is part of what is said of it."
    )


class Removed(Section):
    """Ids of rows that are no longer there."""

    organizations: list[Text] = Field(default_factory=list, description="Organizations.")
    teams: list[Text] = Field(default_factory=list, description="Teams.")
    users: list[Text] = Field(default_factory=list, description="Users.")
    end_users: list[Text] = Field(default_factory=list, description="End users.")


class Change(Section):
    """What happens between two questions."""

    directory: dict[str, Any] = Field(
        default_factory=dict, description="Rows that are added, or take the place of rows of the same id."
    )
    remove: Removed = Field(default=Removed(), description="Rows that go.")
    usage: list[Usage] = Field(default_factory=list, description="What is spent.")
    advance: BudgetPeriod | None = Field(default=None, description="How far the clock moves on.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options that take another value.")
    unavailable: list[Part] | None = Field(default=None, description="What is out of reach from now on; [] is nothing.")


class Asking(Section):
    """A token, what is asked with it, and what must be answered."""

    issuer: Text | None = Field(default=None, description="Who signs the token; the first issuer unless given.")
    key: Text | None = Field(default=None, description="Name of the key that signs; the issuer's first unless given.")
    claims: Claims | None = Field(default=None, description="The claims, besides valid iss, aud, iat and exp.")
    omit: list[Text] | None = Field(default=None, description="Claims that the token does not have.")
    header: dict[str, Any] | None = Field(
        default=None, description="Members of the token's header to change; null leaves one out."
    )
    token: str | None = Field(default=None, description="The token as it is sent, instead of claims.")
    ask: AskOrName | None = Field(default=None, description="What is asked.")
    expect: Expect | None = Field(default=None, description="What must be answered.")


class Step(Asking):
    """One step of a sequence: a question, or a change."""

    name: Text | None = Field(default=None, description="What the step is about.")
    change: Change | None = Field(default=None, description="What changes before the next step.")


class Story(Asking):
    """One promise: a question and its answer, or a sequence of questions and changes."""

    name: Text = Field(description="What it tells, once in a file.")
    tags: list[Text] = Field(default_factory=list, description="Words to choose stories by.")
    preset: Literal["strict", "litellm"] | None = Field(default=None, description="The preset of the policy here.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the policy that differ here.")
    policy: dict[str, Any] = Field(default_factory=dict, description="Sections of the policy that differ here.")
    directory: dict[str, Any] = Field(
        default_factory=dict, description="Rows that are added here, or take the place of rows of the same id."
    )
    usage: list[Usage] = Field(default_factory=list, description="What was spent before, besides the file's own usage.")
    unavailable: list[Part] = Field(default_factory=list, description="What is out of reach.")
    steps: list[Step] | None = Field(default=None, description="A sequence, instead of a single question.")


class SigningKey(Section):
    """A key that an issuer signs with."""

    name: Text = Field(description="What stories call it; its key id.")
    type: KeyType = Field(default="Ed25519", description="What kind of key it is.")
    published: bool = Field(default=True, description="Whether it is in the issuer's key set.")
    publish: dict[str, Any] = Field(
        default_factory=dict, description="Members of the published key to change; null leaves one out."
    )


class Fixtures(Section):
    """Named parts that stories refer to and change."""

    claims: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Claims by name.")
    asks: dict[str, Ask] = Field(default_factory=dict, description="Questions by name.")


class Book(Section):
    """A file of stories."""

    policy: HereOrFile = Field(
        default=None,
        description="A configuration, or the path of one. Keys may be left out: the stories have their own.",
    )
    directory: HereOrFile = Field(default=None, description="A directory, or the path of one.")
    environment: dict[str, str] = Field(
        default_factory=dict, description="Values that the policy's env: references have here."
    )
    keys: dict[str, list[SigningKey]] = Field(
        default_factory=dict, description="Keys that issuers sign with, by the issuer's name; one each unless given."
    )
    now: Text = Field(default="2026-01-01T00:00:00Z", description="What the clock says (RFC 3339).")
    usage: list[Usage] = Field(default_factory=list, description="What was spent before the stories begin.")
    fixtures: Fixtures = Field(default=Fixtures(), description="Parts that stories refer to and change.")
    stories: list[Story] = Field(description="The stories. Never empty.")
