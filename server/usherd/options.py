"""The options in which the presets differ: each is one named value, and a preset is a table of them.

The first value of each option is `strict`'s, the second is the reference's. A `guard` is an option whose second value
is the laxer one: as long as the same user and team are judged, moving it towards strict never turns a denial into an
ALLOW, and the laxer value needs to be named under `insecure:`. The others are readings: both values refuse what they
cannot read, but they read lists, words and rules differently, so that either may allow what the other denies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast

OptionValue = str | bool


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """What is known of one option, besides its value."""

    name: str
    """As the configuration and docs write it, `access.unentitled`."""
    attribute: str
    """The field of `Options`."""
    strict: OptionValue
    litellm: OptionValue
    guard: bool
    """Whether the second value is laxer. False: a reading."""
    meaning: str

    @property
    def values(self) -> tuple[OptionValue, OptionValue]:
        """Both values, strict's first."""
        return self.strict, self.litellm


def _guard(name: str, strict: OptionValue, lax: OptionValue, meaning: str) -> Any:
    return field(default=strict, metadata={"name": name, "litellm": lax, "guard": True, "meaning": meaning})


def _reading(name: str, strict: OptionValue, other: OptionValue, meaning: str) -> Any:
    return field(default=strict, metadata={"name": name, "litellm": other, "guard": False, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One value for each option. Without arguments: the preset `strict`."""

    require_expiry: bool = _guard("token.require_expiry", True, False, "Whether a token must say when it expires.")
    require_issuer: bool = _guard(
        "token.require_issuer", True, False, "Whether a token must name the issuer whose keys verify it."
    )
    require_audience: bool = _guard(
        "token.require_audience", True, False, "Whether an issuer must name the audiences that its tokens are for."
    )
    token_type: Literal["checked", "unchecked"] = _guard(
        "token.typ",
        "checked",
        "unchecked",
        "Whether ID, refresh and logout tokens, and tokens bound to a key, are told from access tokens and refused.",
    )
    overage: Literal["deny", "ignore"] = _guard(
        "claims.overage", "deny", "ignore", "What becomes of a token from which groups that a rule reads were left out."
    )
    string_list: Literal["one_value", "no_value"] = _reading(
        "claims.string_list",
        "one_value",
        "no_value",
        "A text where a list is expected: one value, or none. It is never a set of letters.",
    )
    wrong_type: Literal["deny", "reference"] = _reading(
        "claims.wrong_type",
        "deny",
        "reference",
        "Null, numbers, objects and lists where texts are expected: null is absent and the rest refused, or each as the"
        " reference reads it.",
    )
    unentitled: Literal["deny", "allow"] = _guard(
        "access.unentitled", "deny", "allow", "What becomes of a genuine token that maps to nothing here."
    )
    sub_is_entitlement: bool = _guard(
        "access.sub_is_entitlement", False, True, "Whether a claim that names a user or team is already a role."
    )
    route_check: Literal["everyone", "reference"] = _guard(
        "access.route_check",
        "everyone",
        "reference",
        "Whose routes are checked: everyone's, or only administrators' and those of teams found by groups.",
    )
    model_required: Literal["deny", "allow"] = _guard(
        "access.model_required", "deny", "allow", "What becomes of a route that needs a model and came without one."
    )
    scope_routes: Literal["enforced", "ignored"] = _guard(
        "access.scope_routes", "enforced", "ignored", "Whether the routes of scope mappings count."
    )
    mapped_admin: Literal["admin", "not_admin"] = _reading(
        "access.mapped_admin", "admin", "not_admin", "Whether a role that is mapped to proxy_admin makes one."
    )
    enforce_rbac_id: Literal["one_switch", "two_switches"] = _guard(
        "access.enforce_rbac_id",
        "one_switch",
        "two_switches",
        "Whether access.enforce_rbac also asks for a user or team id, or access.enforce_id does so alone.",
    )
    role_precedence: Literal["all", "first"] = _reading(
        "access.role_precedence",
        "all",
        "first",
        "Which internal roles count: all that are held, or the first of admin scope, team, user, user roles, mappings.",
    )
    team_choice: Literal["route_and_model", "reference"] = _reading(
        "team.choice",
        "route_and_model",
        "reference",
        "The team that is chosen: the first of the token's existing teams with which the grants are enough; or a"
        " single team as it is, and of several the first that has the model.",
    )
    team_model_rules: Literal["full", "exact"] = _reading(
        "team.model_rules",
        "full",
        "exact",
        "How the lists of teams found by groups are read: with wildcards, access groups and aliases, or name by name.",
    )
    object_id_loads: bool = _guard(
        "team.object_id_loads", True, False, "Whether a team that an object id names must exist and is checked."
    )
    team_alias: Literal["apart", "either"] = _reading(
        "team.alias", "apart", "either", "Whether a wish for a team by its id may also name it by its only alias."
    )
    none_qualifies: Literal["deny", "continue"] = _guard(
        "team.none_qualifies",
        "deny",
        "continue",
        "A request without a model that none of the token's teams may make: denied, or judged without a team.",
    )
    default_entitles: bool = _guard(
        "team.default_entitles", False, True, "Whether the default team opens anything, or only limits."
    )
    default_applies: Literal["always", "unconfigured"] = _reading(
        "team.default_applies",
        "always",
        "unconfigured",
        "When the default team counts: whenever the token has none, or only where no team claim is configured.",
    )
    empty_list: Literal["nothing", "all"] = _guard(
        "lists.empty", "nothing", "all", "What an absent or empty list of models grants to a team or user."
    )
    provision: Literal["after", "before"] = _guard(
        "user.provision", "after", "before", "When unknown users and teams are written: after every check, or before."
    )
    email_domain: Literal["deny", "no_provision"] = _guard(
        "user.email_domain",
        "deny",
        "no_provision",
        "What an address of another domain, or one that is not verified, is refused: everything, or being created.",
    )
    directory_role: Literal["honoured", "ignored"] = _reading(
        "user.directory_role", "honoured", "ignored", "Whether the role in the directory counts for a token's holder."
    )
    email_adoption: Literal["off", "on"] = _guard(
        "user.email_adoption", "off", "on", "Whether an unknown user is taken for the known one of the same address."
    )
    user_unknown: Literal["unless_entitled", "refused"] = _reading(
        "user.unknown",
        "unless_entitled",
        "refused",
        "When a user id that the directory does not know is refused: if nothing else entitles, or always.",
    )
    user_routes: Literal["enforced", "unchecked"] = _guard(
        "user.routes",
        "enforced",
        "unchecked",
        "Whether routes for administrators only bind everyone else, whatever grants them.",
    )
    user_limits_with_team: Literal["enforced", "ignored"] = _guard(
        "user.limits_with_team",
        "enforced",
        "ignored",
        "Whether a user's block, models and budget count beside a team.",
    )
    user_blocked: Literal["enforced", "ignored"] = _guard(
        "user.blocked", "enforced", "ignored", "Whether a blocked user is refused."
    )
    email_as_id: bool = _guard("user.email_as_id", False, True, "Whether the address stands in for a missing user id.")
    effective_id: Literal["row", "claim"] = _reading(
        "user.effective_id", "row", "claim", "The user's id in answers: that of the row found, or the claim's."
    )
    sso_match: Literal["per_issuer", "any"] = _guard(
        "user.sso_match",
        "per_issuer",
        "any",
        "Whether a user is found by an identity of the token's issuer only, or by any single sign-on id.",
    )
    user_model_rules: Literal["full", "reference"] = _reading(
        "user.model_rules",
        "full",
        "reference",
        "How lists of models of users are read: with wildcards, access groups and aliases; or as the reference does,"
        " with `no-default-models`, and access groups by their bare names.",
    )
    admin_loaded: bool = _guard(
        "admin.loaded", True, False, "Whether administrators are looked up, blocked and held to budgets, too."
    )
    end_user_blocked: Literal["enforced", "ignored"] = _guard(
        "end_user.blocked", "enforced", "ignored", "Whether a blocked end user is refused."
    )
    end_user_judged: Literal["either", "token"] = _guard(
        "end_user.judged",
        "either",
        "token",
        "Whether an end user that only the question names is blocked and held to a budget, too.",
    )
    end_user_required: Literal["either", "question"] = _reading(
        "end_user.required", "either", "question", "Where a required end user may be named: token or question."
    )
    organization_limits: Literal["enforced", "ignored"] = _guard(
        "organization.limits", "enforced", "ignored", "Whether an organization's block, models and budget count."
    )
    organization_match: Literal["required", "ignored"] = _guard(
        "organization.match",
        "required",
        "ignored",
        "Whether the organizations of token, team and question must agree.",
    )
    member_budget: Literal["enforced", "ignored"] = _guard(
        "member.budget", "enforced", "ignored", "Whether a member's budget within the team counts."
    )
    hook_on_error: Literal["fault", "deny"] = _reading(
        "hook.on_error", "fault", "deny", "What an error in the operator's own check is: no answer, or a denial."
    )
    route_match: Literal["templates", "literal"] = _reading(
        "route.match",
        "templates",
        "literal",
        "How routes are read: in canonical form by groups, templates and trailing wildcards; or text by text.",
    )
    model_sources: Literal["every", "question"] = _guard(
        "model.sources",
        "every",
        "question",
        "Which models must be allowed: those of question, URL and fallbacks; or the question's alone.",
    )
    model_form: Literal["strict", "reference"] = _guard(
        "model.form",
        "strict",
        "reference",
        "Whether what cannot be a model's name is refused, or is one that none has.",
    )
    role_model_rules: Literal["full", "exact"] = _reading(
        "role.model_rules", "full", "exact", "How lists of models of internal roles are read."
    )
    scope_model_rules: Literal["full", "exact"] = _reading(
        "scope.model_rules", "full", "exact", "How lists of models of scope mappings are read."
    )
    key_metadata: Literal["obeyed", "ignored"] = _guard(
        "keys.metadata", "obeyed", "ignored", "Whether alg, use and key_ops of a published key bind it."
    )
    duplicate_kid: Literal["dropped", "last"] = _guard(
        "keys.duplicate_kid", "dropped", "last", "What becomes of different keys of one id."
    )
    kidless_token: Literal["only_usable", "only_published"] = _reading(
        "keys.kidless_token",
        "only_usable",
        "only_published",
        "When a token without a key id is verified: the issuer has one usable key, or has published just one.",
    )
    key_documents: Literal["every", "reference"] = _reading(
        "keys.documents",
        "every",
        "reference",
        "Which documents give keys: key sets, lists and PEM maps; or key sets and lists of RSA keys alone.",
    )
    budget_boundary: Literal["reached", "exceeded"] = _guard(
        "budgets.boundary", "reached", "exceeded", "When a budget is exhausted: at the maximum, or beyond it."
    )
    session_identity: Literal["session", "claims"] = _guard(
        "session.identity", "session", "claims", "Whose words a session's are: its own, or those of an issuer's token."
    )
    http_status: Literal["usherd", "reference"] = _reading(
        "http_status", "usherd", "reference", "Which HTTP status goes with a denial."
    )


def _infos() -> Iterator[OptionInfo]:
    for each in fields(Options):
        about = each.metadata
        yield OptionInfo(
            name=about["name"],
            attribute=each.name,
            strict=cast(OptionValue, each.default),
            litellm=about["litellm"],
            guard=about["guard"],
            meaning=about["meaning"],
        )


OPTIONS: tuple[OptionInfo, ...] = tuple(_infos())
"""All options, in the order in which a question meets them."""

BY_NAME: Mapping[str, OptionInfo] = {info.name: info for info in OPTIONS}


def with_values(options: Options, values: Mapping[str, OptionValue]) -> Options:
    """The options with other values, by name. Raises KeyError for a name that no option has; values are not checked."""
    changes: dict[str, Any] = {BY_NAME[name].attribute: value for name, value in values.items()}
    return replace(options, **changes)


STRICT = Options()
LITELLM = with_values(STRICT, {info.name: info.litellm for info in OPTIONS})
PRESETS: Mapping[str, Options] = {"strict": STRICT, "litellm": LITELLM}
"""The reference is LiteLLM 1.63.2."""


def lax(options: Options) -> tuple[OptionInfo, ...]:
    """The guards that are open: what start-up, health and a gauge have to name."""
    return tuple(info for info in OPTIONS if info.guard and getattr(options, info.attribute) != info.strict)
