"""The shape of `users:` and `teams:` in the file: what they may do, and when unknown ones are written."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from usherd.config.fields import Domain, FreeText, Id, ModelEntry, Money, Name, PerMinute, RouteEntry, Scope, Section

DirectoryRole = Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"]


class ProvisionWhen(Section):
    """What entitles an unknown one to be written: any of these is enough."""

    roles: list[Name] = Field(default_factory=list, description="Named roles that the token holds.")
    scopes: list[Scope] = Field(default_factory=list, description="Scopes that the token has.")
    teams: bool = Field(default=False, description="Whether an existing team that the token names is enough.")
    email_domains: list[Domain] = Field(default_factory=list, description="Domains of verified e-mail addresses.")
    always: bool = Field(
        default=False, description="Nothing is asked for; only where the option user.provision is before."
    )


class TeamDefaults(Section):
    """What a new team's row has."""

    models: list[ModelEntry] | None = Field(default=None, description="Its models, as a row of the directory has them.")
    max_budget: Money | None = Field(default=None, description="US dollars.")


class UserDefaults(TeamDefaults):
    """What a new user's row has."""

    role: DirectoryRole | None = Field(default=None, description="The directory role.")
    teams: list[Id] | None = Field(default=None, description="Ids of teams.")


class TeamProvision(Section):
    """When a team that a token names and the directory lacks is written. Being written entitles to nothing."""

    when: ProvisionWhen = Field(default=ProvisionWhen(), description="What it takes.")
    defaults: TeamDefaults = Field(default=TeamDefaults(), description="What the new row has.")
    per_minute: PerMinute = Field(default=600, description="Rows that one process writes in a minute at most.")


class UserProvision(Section):
    """When a user whom the directory lacks is written. Being written entitles to nothing."""

    when: ProvisionWhen = Field(default=ProvisionWhen(), description="What it takes.")
    defaults: UserDefaults = Field(default=UserDefaults(), description="What the new row has.")
    per_minute: PerMinute = Field(default=600, description="Rows that one process writes in a minute at most.")


class RoleMapEntry(Section):
    """Roles of the provider that mean a directory role."""

    role: FreeText = Field(description="A value of the issuer's claims.roles, or a pattern with `*`.")
    directory_role: DirectoryRole = Field(description="The directory role that the first entry which fits gives.")


class Users(Section):
    """What makes a user, and what users may call without a team."""

    routes: list[RouteEntry] = Field(
        default_factory=list,
        description="Routes for the models of the user's row, unless access.route_check is reference: then every route"
        " is open.",
    )
    allowed_roles: list[FreeText] = Field(
        default_factory=list,
        description="One of these in the issuer's claims.user_roles gives the internal role internal_user.",
    )
    email_domains: list[Domain] = Field(
        default_factory=list,
        description="Domains that an address must be of, compared exactly; unless given, any. Others are denied, unless"
        " user.email_domain is no_provision: then they are only not written.",
    )
    role_map: list[RoleMapEntry] = Field(
        default_factory=list, description="Directory roles by roles of the provider; the first that fits counts."
    )
    sync_roles: bool = Field(
        default=False, description="Whether the mapped directory role is written to the user's row."
    )
    sync_teams: bool = Field(
        default=False, description="Whether the token's existing teams are written to the user's row."
    )
    provision: UserProvision | None = Field(default=None, description="When unknown users are written.")


class Teams(Section):
    """How a team is chosen, and what it opens."""

    required: Literal["none", "claim", "any"] = Field(
        default="none",
        description="claim: the token must name an existing team, unless team.choice is reference: naming one is enough"
        " then; any: the default team will do.",
    )
    default: Id | None = Field(
        default=None,
        description="Team that gives limits to tokens without a team, unless team.default_applies is unconfigured: then"
        " only where no claim for a team is configured. It opens nothing, unless team.default_entitles is true.",
    )
    routes: list[RouteEntry] = Field(
        default_factory=lambda: ["openai_routes", "info_routes"],
        description="Routes for the models of the team's row, unless access.route_check is reference: then they bind"
        " teams found by groups only.",
    )
    priority: list[Id] = Field(default_factory=list, description="Team ids, in the order in which they are tried.")
    from_directory: Literal["never", "single", "all"] = Field(
        default="never",
        description="Whether a token without teams acts for the user's teams in the directory; single: if it is one.",
    )
    unknown_falls_back: bool = Field(
        default=False,
        description="Whether teams that the directory lacks count as not named, for from_directory.",
    )
    provision: TeamProvision | None = Field(default=None, description="When an unknown team is written.")
