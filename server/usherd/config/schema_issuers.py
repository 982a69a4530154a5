"""The shape of `issuers:` in the file: whose tokens are taken, with which keys, and what they may be worth."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from usherd.config.fields import (
    Algorithms,
    AllOrTexts,
    AnswerFor,
    AskTimeout,
    Audiences,
    ClaimName,
    ClaimPathText,
    ClaimPathTexts,
    FetchTimeout,
    Iss,
    IssuerName,
    KeySetHere,
    Leeway,
    OpaqueTokens,
    RefreshEvery,
    RefusalFor,
    RemovedGrace,
    SecretReference,
    Section,
    StaleFor,
    Text,
    Texts,
    TrueOrText,
    UnknownKidCooldown,
)


class Refresh(Section):
    """How a key set that is fetched is kept."""

    every: RefreshEvery = Field(default=600.0, description="From one refresh to the next, at most.")
    stale_for: StaleFor = Field(
        default=3600.0, description="How long after that the last good set serves without a refresh."
    )
    removed_grace: RemovedGrace = Field(
        default=259200.0, description="How long a key is trusted after it was last seen in a set."
    )
    unknown_kid_cooldown: UnknownKidCooldown = Field(
        default=30.0, description="At most one refresh in this time is forced by key ids that no set has."
    )
    timeout: FetchTimeout = Field(default=5.0, description="For one document, from first to last byte.")


class Introspection(Section):
    """An issuer that is asked about its tokens (RFC 7662)."""

    url: Text = Field(description="The introspection endpoint.")
    client_id: Text = Field(description="Who usherd is there.")
    client_secret: SecretReference = Field(description="Its secret: env:NAME or file:path.")
    client_auth: Literal["basic", "post"] = Field(
        default="basic",
        description="How id and secret are sent: by HTTP Basic, or in the form (RFC 6749, section 2.3.1).",
    )
    opaque: OpaqueTokens = Field(
        default=None,
        description="Tokens that are no JWS and its own: true for all, or what they begin with. Unless given, only JWS"
        " that name it as their issuer are.",
    )
    may_lack: list[Literal["aud", "exp"]] = Field(
        default_factory=list, description="Claims that its answers may lack, though a JWT would need them."
    )
    timeout: AskTimeout = Field(default=1.0, description="For one answer, from first to last byte.")
    cache_for: AnswerFor = Field(
        default=30.0, description="How long an answer that a token is active counts; never beyond `exp`."
    )
    cache_inactive_for: RefusalFor = Field(
        default=5.0, description="How long an answer counts that it is not; never longer than `cache_for`."
    )


class Keys(Section):
    """Where the public keys of one issuer come from, or whom to ask instead: exactly one source."""

    discovery: TrueOrText = Field(
        default=None,
        description="true: the issuer's /.well-known/openid-configuration; or the URL of a discovery document.",
    )
    jwks_url: Texts | None = Field(
        default=None, description="URL of a key set, or a list of URLs, each fetched on its own."
    )
    jwks_file: Text | None = Field(default=None, description="A file with a key set (RFC 7517), relative to this file.")
    jwks: KeySetHere | None = Field(default=None, description="A key set (RFC 7517), written here.")
    pem_file: Text | None = Field(
        default=None,
        description="A file with a PEM public key or X.509 certificate, or a JSON object of such by key id.",
    )
    introspection: Introspection | None = Field(
        default=None, description="An endpoint that is asked about each token, instead of keys (RFC 7662)."
    )
    refresh: Refresh = Field(default=Refresh(), description="How a key set that is fetched is kept.")
    denied: list[Text] = Field(
        default_factory=list, description="Key ids and RFC 7638 thumbprints that are never trusted, from now on."
    )


class MayGrant(Section):
    """What the issuer's tokens can ever be worth here, whatever they say."""

    admin: bool = Field(default=False, description="Whether they can make an administrator.")
    roles: AllOrTexts = Field(default=None, description="Names of the roles that they can hold, or all.")
    teams: AllOrTexts = Field(default=None, description="Ids of the teams that they can act for, or all.")
    organizations: AllOrTexts = Field(default=None, description="Ids of the organizations that they can name, or all.")


class Claims(Section):
    """Where the words of this issuer are: claim paths, as `realm_access.roles`, `groups[0]`, `https://x\\.y/team`.

    Null: it has no such word.
    """

    null_is_none = True

    user: ClaimPathText | None = Field(default="sub", description="The user's id.")
    email: ClaimPathText | None = Field(default="email", description="The user's e-mail address.")
    team: ClaimPathText | None = Field(default=None, description="The id of one team.")
    team_alias: ClaimPathText | None = Field(default=None, description="The alias of one team.")
    teams: ClaimPathText | None = Field(default=None, description="A list of team ids.")
    organization: ClaimPathText | None = Field(default=None, description="The id of the organization.")
    organization_alias: ClaimPathText | None = Field(default=None, description="The alias of the organization.")
    end_user: ClaimPathText | None = Field(default=None, description="The id of the end user.")
    roles: ClaimPathText | None = Field(
        default=None, description="Roles of the provider, for role_mappings and users.role_map."
    )
    user_roles: ClaimPathText | None = Field(
        default=None, description="Roles of the provider, for users.allowed_roles."
    )
    object: ClaimPathText | None = Field(
        default=None, description="The id of a team or user, whichever the token's internal role says."
    )
    scopes: ClaimPathTexts = Field(
        default_factory=lambda: ["scope", "scp"], description="Scopes: all of these claims are added up."
    )
    client: ClaimPathTexts = Field(
        default_factory=lambda: ["azp", "appid", "client_id"],
        description="The client application: the first of these claims that is present.",
    )


class Issuer(Section):
    """One issuer of tokens."""

    name: IssuerName = Field(description="What the rest of the file calls it.")
    issuer: Iss = Field(
        description="The exact value of `iss`; `*`: any, or none, only where the option token.require_issuer is false."
    )
    audiences: Audiences = Field(
        default=None,
        description="At least one of these must be in `aud`. Never empty; absent only where the option"
        " token.require_audience is false, and `aud` is not looked at then.",
    )
    keys: Keys = Field(description="Where its public keys come from, or whom to ask instead.")
    algorithms: Algorithms = Field(
        default=None,
        description="Signature algorithms that it may use; unless given RS, PS, ES and EdDSA, or RS and PS"
        " under litellm.",
    )
    leeway: Leeway = Field(default=30.0, description="Clock difference that is forgiven.")
    required_claims: dict[ClaimPathText, Texts] = Field(
        default_factory=dict, description="Claims that must be there, with the values that will do."
    )
    forbidden_claims: list[ClaimName] = Field(
        default_factory=list,
        description="Top-level claims that no access token has, besides nonce, at_hash, c_hash, s_hash and events.",
    )
    may_grant: MayGrant = Field(default=MayGrant(), description="What its tokens can ever be worth here.")
    claims: Claims = Field(default=Claims(), description="Where its words are.")
    service_when: dict[ClaimPathText, Texts] | None = Field(
        default=None, description="A token that meets all of these is a service's; the well-known shapes unless given."
    )
    answer_claims: list[ClaimPathText] = Field(
        default_factory=list, description="Claims that answers pass on to the gateway."
    )
