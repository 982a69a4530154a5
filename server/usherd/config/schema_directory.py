"""The shape of a directory file: organizations, teams, users and end users."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from usherd.config.fields import BudgetPeriod, ModelEntry, ModelName, Money, Rate, Section, Text, text_that
from usherd.config.problems import Unusable
from usherd.ids import MAX_ID_CHARACTERS, well_formed_id


def _check_id(value: str) -> None:
    if not well_formed_id(value):
        raise Unusable(f"is no id; expected 1 to {MAX_ID_CHARACTERS} printable characters")


Id = Annotated[str, text_that(_check_id)]


class Limited(Section):
    """What a row limits, for the gateway to enforce."""

    max_budget: Money | None = Field(default=None, description="US dollars.")
    budget_period: BudgetPeriod | None = Field(default=None, description="The time after which the budget begins anew.")
    tpm: Rate | None = Field(default=None, description="Tokens a minute.")
    rpm: Rate | None = Field(default=None, description="Requests a minute.")


class OrganizationRow(Limited):
    """A company or department that teams belong to."""

    id: Id = Field(description="Its id.")
    models: list[ModelEntry] | None = Field(default=None, description="A ceiling: absent is none, empty is nothing.")
    blocked: bool = Field(default=False, description="Whether everything of it is refused.")


class MemberRow(Section):
    """A user's place in a team."""

    user: Id = Field(description="The user's directory id.")
    role: Literal["user", "admin"] = Field(default="user", description="The place.")
    max_budget: Money | None = Field(default=None, description="US dollars, within this team.")


class TeamRow(Limited):
    """Principals that are granted models, and billed, together."""

    id: Id = Field(description="Its id, as tokens name it.")
    issuer: Text | None = Field(
        default=None, description="Whose tokens may name it; required with more than one issuer."
    )
    alias: Id | None = Field(default=None, description="Another name, which need not be unique.")
    organization: Id | None = Field(default=None, description="The id of its organization.")
    models: list[ModelEntry] = Field(default_factory=list, description="A grant: empty is nothing, `*` is all.")
    blocked: bool = Field(default=False, description="Whether it is refused.")
    members: list[MemberRow] = Field(default_factory=list, description="Limits of single members.")
    model_aliases: dict[ModelName, ModelName] = Field(
        default_factory=dict, description="Names that mean another model for this team only."
    )


class IdentityRow(Section):
    """How one issuer knows a user."""

    issuer: Text = Field(description="The issuer's name.")
    subject: Id = Field(description="The value of its user claim.")


class UserRow(Limited):
    """A person or service that the directory knows."""

    id: Id = Field(description="The directory's id.")
    identities: list[IdentityRow] = Field(
        default_factory=list, description="How issuers know the user; required with more than one issuer."
    )
    email: Text | None = Field(default=None, description="Never a reason to trust anyone.")
    role: Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"] | None = Field(
        default=None, description="The directory role; proxy_admin is an administrator where the issuer may grant that."
    )
    models: list[ModelEntry] | None = Field(
        default=None, description="Without a team a grant; beside a team a ceiling, where absent is none."
    )
    teams: list[Id] = Field(default_factory=list, description="Ids of teams.")
    organizations: list[Id] = Field(default_factory=list, description="Ids of organizations.")
    blocked: bool = Field(default=False, description="Whether the user is refused.")


class EndUserRow(Limited):
    """A customer on whose behalf requests are made."""

    id: Id = Field(description="Its id.")
    blocked: bool = Field(default=False, description="Whether requests on its behalf are refused.")


class DirectoryFile(Section):
    """A directory."""

    organizations: list[OrganizationRow] = Field(default_factory=list, description="Organizations.")
    teams: list[TeamRow] = Field(default_factory=list, description="Teams.")
    users: list[UserRow] = Field(default_factory=list, description="Users.")
    end_users: list[EndUserRow] = Field(default_factory=list, description="End users.")
