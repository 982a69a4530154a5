"""The shape of a directory file: organizations, teams, users and end users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from usherd.config.fields import BudgetPeriod, FreeText, Id, ModelEntry, ModelName, Money, Rate, Section, Text
from usherd.config.schema_people import DirectoryRole


class Limited(Section):
    """What a row limits, for the gateway to enforce."""

    max_budget: Money | None = Field(default=None, description="US dollars.")
    budget_period: BudgetPeriod | None = Field(default=None, description="The time after which the budget begins anew.")
    tpm: Rate | None = Field(default=None, description="Tokens a minute.")
    rpm: Rate | None = Field(default=None, description="Requests a minute.")


class OrganizationRow(Limited):
    """A company or department that teams belong to."""

    id: Id = Field(description="Its id.")
    alias: Id | None = Field(default=None, description="Another name, which need not be unique.")
    models: list[ModelEntry] | None = Field(
        default=None,
        description="A ceiling, unless organization.limits is ignored: absent is none, empty is nothing, unless"
        " lists.empty is all.",
    )
    blocked: bool = Field(
        default=False, description="Whether everything of it is refused, unless organization.limits is ignored."
    )


class MemberRow(Section):
    """A user's place in a team."""

    user: Id = Field(description="The user's directory id.")
    role: Literal["user", "admin"] = Field(default="user", description="The place.")
    max_budget: Money | None = Field(
        default=None, description="US dollars, within this team, unless member.budget is ignored."
    )


class Guardrails(Section):
    """Whether requests may change guardrails."""

    modify_guardrails: bool = Field(default=True, description="Whether requests of the team may.")


class TeamMetadata(Section):
    """What LiteLLM keeps in a team's metadata, as far as it decides anything."""

    guardrails: Guardrails = Field(default=Guardrails(), description="Whether requests may change guardrails.")


class TeamRow(Limited):
    """Principals that are granted models, and billed, together."""

    id: Id = Field(description="Its id, as tokens name it.")
    issuer: Text | None = Field(
        default=None, description="Whose tokens may name it; required with more than one issuer."
    )
    alias: Id | None = Field(default=None, description="Another name, which need not be unique.")
    organization: Id | None = Field(default=None, description="The id of its organization.")
    models: list[ModelEntry] = Field(
        default_factory=list, description="A grant: empty is nothing, unless lists.empty is all; `*` is all."
    )
    blocked: bool = Field(default=False, description="Whether it is refused.")
    members: list[MemberRow] = Field(default_factory=list, description="Limits of single members.")
    model_aliases: dict[ModelName, ModelName] = Field(
        default_factory=dict, description="Names that mean another model for this team only."
    )
    metadata: TeamMetadata = Field(default=TeamMetadata(), description="What else the team has.")


class IdentityRow(Section):
    """How one issuer knows a user."""

    issuer: Text = Field(description="The issuer's name.")
    subject: Id = Field(description="The value of its user claim.")


class OrganizationPlace(Section):
    """A user's place in an organization."""

    id: Id = Field(description="The organization's id.")
    role: Literal["org_admin", "internal_user", "internal_user_viewer"] = Field(
        default="internal_user", description="The place; org_admin administers the organization."
    )


def _id_or_place(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


class UserRow(Limited):
    """A person or service that the directory knows."""

    id: Id = Field(description="The directory's id.")
    identities: list[IdentityRow] = Field(
        default_factory=list, description="How issuers know the user; required with more than one issuer."
    )
    sso_ids: list[Id] = Field(
        default_factory=list, description="Single sign-on ids without an issuer; used where user.sso_match is any."
    )
    email: FreeText | None = Field(
        default=None, description="Never a reason to take anyone for this user, unless user.email_adoption is on."
    )
    role: DirectoryRole | None = Field(
        default=None,
        description="The directory role, unless user.directory_role is ignored; proxy_admin is an administrator where"
        " the issuer may grant that.",
    )
    models: list[ModelEntry] | None = Field(
        default=None,
        description="Without a team a grant: absent or empty is nothing, unless lists.empty is all. Beside a team a"
        " ceiling, where absent is none, unless user.limits_with_team is ignored.",
    )
    teams: list[Id] = Field(default_factory=list, description="Ids of teams.")
    organizations: list[Annotated[OrganizationPlace, BeforeValidator(_id_or_place)]] = Field(
        default_factory=list, description="Organizations: ids, or mappings of id and role."
    )
    blocked: bool = Field(default=False, description="Whether the user is refused, unless user.blocked is ignored.")


class EndUserRow(Limited):
    """A customer on whose behalf requests are made."""

    id: Id = Field(description="Its id.")
    blocked: bool = Field(
        default=False, description="Whether requests on its behalf are refused, unless end_user.blocked is ignored."
    )


class DirectoryFile(Section):
    """A directory."""

    organizations: list[OrganizationRow] = Field(default_factory=list, description="Organizations.")
    teams: list[TeamRow] = Field(default_factory=list, description="Teams.")
    users: list[UserRow] = Field(default_factory=list, description="Users.")
    end_users: list[EndUserRow] = Field(default_factory=list, description="End users.")
