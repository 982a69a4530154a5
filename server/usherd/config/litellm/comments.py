"""Says at each place of an imported file where `strict` would answer otherwise, and by which option."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from usherd.config.problems import KeyPath, key_text
from usherd.config.schema_options import value_text
from usherd.options import BY_NAME, LITELLM, OPTIONS, OptionInfo, Options, with_values

_OF_ISSUER: tuple[tuple[KeyPath, str, str], ...] = (
    (
        ("issuer",),
        "token.require_issuer",
        "Tokens of every issuer are taken if one of the keys verifies them; strict wants the one exact `iss`",
    ),
    (("keys",), "keys.metadata", "A key verifies whatever it was published for; strict minds its alg, use and key_ops"),
    (("keys",), "keys.duplicate_kid", "Of several keys with one id the last is taken; strict takes none of them"),
    (("keys",), "keys.documents", "Only RSA keys are read; strict reads those of every kind"),
    (
        ("claims", "user"),
        "access.sub_is_entitlement",
        "Naming a user is enough to hold a role; strict wants one that the directory knows",
    ),
    (
        ("claims", "user"),
        "user.unknown",
        "A user whom the directory does not know is refused; under strict only if nothing else entitles",
    ),
    (
        ("claims", "email"),
        "user.email_adoption",
        "An unknown user is taken for the known one of the same address; under strict never",
    ),
    (("claims", "email"), "user.email_as_id", "The address stands in for a missing user id; under strict never"),
    (
        ("claims", "teams"),
        "team.choice",
        "The first team that has the model is taken; under strict the first with which route and model are granted",
    ),
    (
        ("claims", "teams"),
        "team.model_rules",
        "Lists of these teams are read name by name; strict reads wildcards, access groups and aliases",
    ),
    (
        ("claims", "teams"),
        "team.none_qualifies",
        "Where no team may make a request without a model, it goes on without a team; strict denies it",
    ),
    (
        ("claims", "object"),
        "team.object_id_loads",
        "A team that it names is not looked up; under strict it must exist, and its limits count",
    ),
    (("claims", "roles"), "claims.string_list", "A text counts as no role; under strict it is one role"),
    (("claims", "user_roles"), "claims.string_list", "A text counts as no role; under strict it is one role"),
    (
        ("claims", "organization"),
        "organization.limits",
        "The organization's block, models and budget do not count; under strict they do",
    ),
    (
        ("claims", "organization"),
        "organization.match",
        "It need not be the one that the team belongs to; under strict it must",
    ),
    (("claims", "end_user"), "end_user.blocked", "Blocked end users have access; strict denies them"),
)
_PRESET: KeyPath = ("preset",)
"""Where options stand that belong to no other place."""
_OF_FILE: tuple[tuple[KeyPath, str, str], ...] = (
    (
        _PRESET,
        "token.require_expiry",
        "Tokens need not expire, and may live for any time; strict wants `exp`, 24h after issue at most",
    ),
    (("admin",), "admin.loaded", "Administrators are not looked up; under strict blocks and budgets bind them, too"),
    (
        ("role_mappings",),
        "access.role_precedence",
        "Only the first internal role of a token counts; under strict all count",
    ),
    (
        ("role_mappings",),
        "access.mapped_admin",
        "A role that is mapped to proxy_admin makes no administrator; under strict it does",
    ),
    (
        ("role_permissions",),
        "role.model_rules",
        "Models are compared name by name; strict reads wildcards, access groups and aliases",
    ),
    (("scopes",), "access.scope_routes", "Routes of the mappings do not count; under strict they do"),
    (
        ("scopes",),
        "scope.model_rules",
        "Models are compared name by name; strict reads wildcards, access groups and aliases",
    ),
    (
        ("users", "email_domains"),
        "user.email_domain",
        "An address of another domain is only not written to the directory; strict denies it",
    ),
    (
        ("users", "provision"),
        "user.provision",
        "Every genuine token's user is written, before it is decided; strict wants conditions, and writes after",
    ),
    (
        ("teams", "default"),
        "team.default_entitles",
        "The default team opens what its members may do; under strict it only limits",
    ),
    (
        ("teams", "routes"),
        "access.route_check",
        "Only teams found by groups are held to these routes; under strict everyone is held to some",
    ),
    (
        ("teams", "provision"),
        "user.provision",
        "Every team that a token names is written, before it is decided; strict wants conditions, and writes after",
    ),
    (
        ("access", "enforce_rbac"),
        "access.unentitled",
        "A genuine token that maps to nothing is only held to what binds everyone; strict denies it",
    ),
    (
        ("access", "enforce_id"),
        "access.enforce_rbac_id",
        "enforce_rbac does not ask for a user or team id by itself; under strict it does",
    ),
    (
        ("routes", "version"),
        "route.match",
        "Routes are compared text by text; under strict in canonical form, with templates",
    ),
    (
        ("routes", "admin_only"),
        "user.routes",
        "LiteLLM 1.63 does not hold tokens of an issuer to this list; strict does",
    ),
    (
        ("routes", "end_user_required"),
        "end_user.required",
        "Only the request can name the end user; under strict the token can, too",
    ),
    (
        ("budgets", "global", "max"),
        "budgets.boundary",
        "The budget is used up beyond this; under strict when it is reached",
    ),
    (("hooks", "validate"), "hook.on_error", "An error in it is a denial; under strict it is no answer"),
    (
        ("models",),
        "model.sources",
        "Only the model in the body of a request is judged; under strict those in the URL and the fallbacks are, too",
    ),
    (
        ("model_aliases",),
        "user.model_rules",
        "Aliases are followed for users without a team only; under strict for all lists",
    ),
    (
        ("insecure", "session_master_key"),
        "session.identity",
        "Sessions have the words of a token of the issuer; under strict their own",
    ),
)
_NO_AUDIENCE = (
    ("keys",),
    "token.require_audience",
    "`aud` is not looked at, so tokens for other services are taken; strict wants audiences",
)


def comments_of(document: Mapping[str, Any], remarks: Mapping[KeyPath, str]) -> dict[KeyPath, str]:
    """The comments: each option that differs from strict, once, and the importer's own remarks in front.

    An option has its sentence at the first of its places that the document has, and other sentences of it refer to
    that. Options without such a place are listed at `preset:`.
    """
    options = with_values(LITELLM, {key: value for key, value in document["access"].items() if key in BY_NAME})
    differing = {info.name: info for info in OPTIONS if getattr(options, info.attribute) != info.strict}
    found: dict[KeyPath, list[str]] = {path: [text] for path, text in remarks.items() if _has(document, path)}
    named: dict[str, KeyPath] = {}
    said: set[tuple[str, str]] = set()
    for path, option, sentence in _places(document):
        if option in differing and (option, sentence) not in said and _has(document, path):
            said.add((option, sentence))
            reference = f"as {key_text(named[option])}" if option in named else option
            found.setdefault(path, []).append(f"{sentence} ({reference}).")
            named.setdefault(option, path)
    comments = {path: " ".join(sentences) for path, sentences in found.items()}
    others = [_listed(info, options) for name, info in differing.items() if name not in named]
    if others:
        comments[_PRESET] = "\n".join([*found.get(_PRESET, ()), _OTHERS, *others])
    return comments


_OTHERS = "These options differ from strict, too, and belong to no other place of this file:"


def _listed(info: OptionInfo, options: Options) -> str:
    here, strict = (value_text(value) for value in (getattr(options, info.attribute), info.strict))
    return f"- {info.name} ({here}; strict: {strict}): {info.meaning}"


def _places(document: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    for index, issuer in enumerate(document["issuers"]):
        absent = () if "audiences" in issuer else (_NO_AUDIENCE,)
        for path, option, sentence in (*absent, *_OF_ISSUER):
            yield ("issuers", index, *path), option, sentence
    yield from _OF_FILE


def _has(value: object, path: KeyPath) -> bool:
    """Whether there is anything but null at a place."""
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(str(step))
        else:
            value = value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None
    return value is not None
