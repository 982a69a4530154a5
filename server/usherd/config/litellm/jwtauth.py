"""Reads `general_settings.litellm_jwtauth`: checked as LiteLLM checks it when it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from usherd.config.litellm import claims
from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.unsupported import refuse_in_jwtauth
from usherd.config.litellm.values import Section
from usherd.config.litellm.versions import (
    ADMIN_ROUTES,
    ADMIN_SCOPE,
    HINTS,
    JWTAUTH_KEYS,
    LATEST,
    REFERENCE,
    TEAM_ROUTE_CHOICES,
    TEAM_ROUTES,
    Version,
)
from usherd.config.problems import Unusable, key_text, quoted

INTERNAL_ROLES = ("proxy_admin", "team", "internal_user")
DIRECTORY_ROLES = ("proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeMapping:
    """An entry of `scope_mappings`."""

    scope: str
    models: list[str] | None
    routes: list[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtAuth:
    """`litellm_jwtauth` with its defaults. Fields that name claims are claim paths already."""

    section: Section
    """For mistakes that only show in connection with something else."""
    admin_scope: str
    admin_routes: list[str]
    claims: dict[str, str]
    """Claim paths by the names that usherd has for them; only those that are given."""
    team_default: str | None
    team_routes: list[str]
    team_routes_given: bool
    team_upsert: bool
    team_enforced: bool
    user_allowed_roles: list[str]
    user_upsert: bool
    email_domain: str | None
    enforce_rbac: bool
    role_mappings: list[tuple[str, str]]
    """(role of the provider, internal role)."""
    scope_mappings: list[ScopeMapping]
    """Empty unless they are enforced."""
    custom_validate: str | None
    key_ttl: float
    """Seconds."""
    key_stale_ttl: float
    """Seconds."""
    role_map: list[tuple[str, str]]
    """(pattern of roles of the provider, directory role)."""
    sync: bool
    fallback_to_db_teams: bool
    team_claim_fallback: bool
    issuers: list[Section]


_ID_FIELDS = {
    "team_id_jwt_field": "team",
    "team_ids_jwt_field": "teams",
    "org_id_jwt_field": "organization",
    "user_id_jwt_field": "user",
    "user_email_jwt_field": "email",
    "end_user_id_jwt_field": "end_user",
    "object_id_jwt_field": "object",
}
_ALIAS_FIELDS = {"team_alias_jwt_field": "team_alias", "org_alias_jwt_field": "organization_alias"}
_ROLE_FIELDS = {"user_roles_jwt_field": "user_roles", "roles_jwt_field": "roles"}


def read_jwtauth(section: Section, version: Version, book: Notebook) -> JwtAuth:
    """The settings; what is wrong with them is in the notebook."""
    section.known(JWTAUTH_KEYS[version], version, HINTS[version])
    refuse_in_jwtauth(section, book)
    paths = _claim_fields(section, version, book)
    user_roles = section.texts("user_allowed_roles") or []
    if not (user_roles and "user_roles" in paths):
        # One without the other gives nobody a role.
        user_roles = []
        paths.pop("user_roles", None)
    _check_together(section, book)
    # LiteLLM makes nothing of these two, but does not start with other types.
    section.flag("upsert_sso_user_to_team")
    section.texts("public_allowed_routes", nullable=False)
    return JwtAuth(
        section=section,
        admin_scope=section.text("admin_jwt_scope", ADMIN_SCOPE, nullable=False) or "",
        admin_routes=_texts(section, "admin_allowed_routes", ADMIN_ROUTES),
        claims=paths,
        team_default=section.text("team_id_default"),
        team_routes=_team_routes(section, version, book),
        team_routes_given="team_allowed_routes" in section,
        team_upsert=section.flag("team_id_upsert"),
        team_enforced=section.flag("enforce_team_based_model_access"),
        user_allowed_roles=user_roles,
        user_upsert=section.flag("user_id_upsert"),
        email_domain=section.text("user_allowed_email_domain"),
        enforce_rbac=section.flag("enforce_rbac"),
        role_mappings=_role_mappings(section),
        scope_mappings=_scope_mappings(section, version, book),
        custom_validate=section.text("custom_validate"),
        key_ttl=section.number("public_key_ttl", 600.0) or 0.0,
        key_stale_ttl=_stale_ttl(section, version),
        role_map=_role_map(section, book),
        sync=section.flag("sync_user_role_and_teams") if version == LATEST else False,
        fallback_to_db_teams=section.flag("fallback_to_db_teams") if version == LATEST else False,
        team_claim_fallback=section.flag("team_claim_fallback") if version == LATEST else False,
        issuers=(section.sections("issuers") or []) if version == LATEST else [],
    )


def _claim_fields(section: Section, version: Version, book: Notebook) -> dict[str, str]:
    """The claim paths of all fields that are given, by usherd's names."""
    found: dict[str, str] = {}
    for field, name in _ID_FIELDS.items():
        _add(found, name, section, field, lambda text: claims.id_path(text, version), book.problem)
    if version == LATEST:
        for field, name in _ALIAS_FIELDS.items():
            _add(found, name, section, field, lambda text: claims.dotted_path(text, version), book.problem)
    for field, name in _ROLE_FIELDS.items():
        # To LiteLLM, roles in a place that is nowhere are no roles: it starts, and nobody holds one.
        _add(
            found,
            name,
            section,
            field,
            lambda text: claims.dotted_path(text, version),
            lambda path, text: book.note(f"{key_text(path)}: {text}; until then no token has roles there"),
        )
    return found


def _add(
    found: dict[str, str],
    name: str,
    section: Section,
    field: str,
    path_of: Callable[[str], str],
    tell: Callable[[tuple[str | int, ...], str], None],
) -> None:
    text = section.text(field)
    if text is None:
        return
    try:
        found[name] = path_of(text)
    except Unusable as error:
        tell(section.at(field), str(error))


def _check_together(section: Section, book: Notebook) -> None:
    """The rules about several fields with which LiteLLM starts or does not (seed behaviour, section 1.4)."""
    if ("user_roles_jwt_field" in section) is not ("user_allowed_roles" in section):
        given, missing = "user_roles_jwt_field", "user_allowed_roles"
        if missing in section:
            given, missing = missing, given
        book.problem(section.at(given), f"is given without {missing}; expected both or neither")
    if "object_id_jwt_field" in section and "role_mappings" not in section:
        book.problem(section.at("object_id_jwt_field"), "is given without role_mappings; expected both")
    if "scope_mappings" in section and not section.raw("enforce_scope_based_access"):
        book.problem(
            section.at("scope_mappings"), "is given without enforce_scope_based_access: true; expected both or neither"
        )


def _texts(section: Section, key: str, default: tuple[str, ...]) -> list[str]:
    found = section.texts(key, nullable=False)
    return list(default) if found is None else found


def _team_routes(section: Section, version: Version, book: Notebook) -> list[str]:
    found = _texts(section, "team_allowed_routes", TEAM_ROUTES[version])
    for index, entry in enumerate(found if version == REFERENCE else ()):
        if entry not in TEAM_ROUTE_CHOICES:
            book.problem(
                (*section.at("team_allowed_routes"), index),
                f"{quoted(entry)} is not possible here; LiteLLM {version} takes {', '.join(TEAM_ROUTE_CHOICES)}",
            )
    return found


def _role_mappings(section: Section) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in section.sections("role_mappings") or ():
        role, internal = _needed_text(entry, "role"), entry.one_of("internal_role", INTERNAL_ROLES)
        if role is not None and internal is not None:
            found.append((role, internal))
    return found


def _needed_text(entry: Section, key: str) -> str | None:
    if key not in entry:
        entry.wrong(key, "a text")
    return entry.text(key)


def _scope_mappings(section: Section, version: Version, book: Notebook) -> list[ScopeMapping]:
    found: list[ScopeMapping] = []
    for entry in section.sections("scope_mappings") or ():
        entry.known(frozenset({"scope", "models", "routes"}), version)
        scope, models, routes = _needed_text(entry, "scope"), entry.texts("models"), entry.texts("routes")
        if scope is not None:
            found.append(ScopeMapping(scope=scope, models=models, routes=routes))
    enforced = section.flag("enforce_scope_based_access")
    if enforced and not found:
        book.note(
            f"{key_text(section.at('enforce_scope_based_access'))}: means nothing without scope_mappings, to LiteLLM"
            " as well; no scope is asked for"
        )
    return found if enforced else []


def _stale_ttl(section: Section, version: Version) -> float:
    if version == REFERENCE:
        return 0.0
    return section.number("public_key_stale_ttl", 3600.0) or 0.0


def _role_map(section: Section, book: Notebook) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in section.sections("jwt_litellm_role_map") or ():
        role, directory_role = _needed_text(entry, "jwt_role"), entry.one_of("litellm_role", DIRECTORY_ROLES)
        if role is None or directory_role is None:
            continue
        if "?" in role or "[" in role:
            book.problem(
                entry.at("jwt_role"), f"{quoted(role)} has a wildcard that usherd does not have; expected only *"
            )
        found.append((role, directory_role))
    return found
