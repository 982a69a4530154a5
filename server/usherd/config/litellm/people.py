"""Makes the rules about teams and users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from usherd.config.litellm import routes
from usherd.config.litellm.jwtauth import DIRECTORY_ROLES, JwtAuth
from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.values import Section
from usherd.config.litellm.versions import LATEST, REFERENCE, Version
from usherd.config.problems import key_text

Rules = dict[str, Any]

_WRITTEN_ALWAYS: Mapping[str, object] = {"always": True}
_OPEN_TO_ALL = ("llm_api_routes", "info_routes")
"""What the newest LiteLLM lets everyone call. More comes with a role of the directory, or a list of routes."""


def teams(
    auth: JwtAuth, issuers: Sequence[Mapping[str, Any]], settings: Section, version: Version, book: Notebook
) -> Rules:
    """How a team is found, and what it opens."""
    made: Rules = {"required": _required(auth, issuers, version)}
    if auth.team_default is not None:
        made["default"] = auth.team_default
    made["routes"] = _team_routes(auth, issuers, version, book)
    if auth.fallback_to_db_teams:
        made["from_directory"] = "all"
    elif version == LATEST:
        made["from_directory"] = "single"
    if auth.team_claim_fallback:
        made["unknown_falls_back"] = True
    if auth.team_upsert:
        made["provision"] = {"when": dict(_WRITTEN_ALWAYS)}
        if version == LATEST and (defaults := _team_defaults(settings.section("default_team_params"), book)):
            made["provision"]["defaults"] = defaults
    return made


def _required(auth: JwtAuth, issuers: Sequence[Mapping[str, Any]], version: Version) -> str:
    """A claim for a single team makes a team mandatory, and so does the switch for all."""
    single = any("team" in issuer["claims"] or "team_alias" in issuer["claims"] for issuer in issuers)
    if not (auth.team_enforced or single):
        return "none"
    # Where there is another way to a team, a token without the claim may take it.
    falls_back = auth.fallback_to_db_teams or auth.team_claim_fallback
    if version == LATEST and auth.team_default is not None:
        falls_back = True
    return "any" if falls_back else "claim"


def _team_routes(auth: JwtAuth, issuers: Sequence[Mapping[str, Any]], version: Version, book: Notebook) -> list[str]:
    by_groups = auth.fallback_to_db_teams or any("teams" in issuer["claims"] for issuer in issuers)
    if version == LATEST and not by_groups:
        if auth.team_routes_given:
            book.remark(
                ("teams", "routes"),
                "LiteLLM holds team_allowed_routes against teams found by groups only, and there are none.",
            )
        return list(_OPEN_TO_ALL)
    opened = routes.granted(auth.team_routes, auth.section.at("team_allowed_routes"), version, book)
    return opened if version == REFERENCE else routes.within(opened, _OPEN_TO_ALL, version)


def users(auth: JwtAuth, settings: Section, version: Version, book: Notebook) -> Rules:
    """What users may do, and when they are written."""
    made: Rules = {}
    if version == LATEST:
        made["routes"] = list(_OPEN_TO_ALL)
    if auth.user_allowed_roles:
        made["allowed_roles"] = auth.user_allowed_roles
    if auth.email_domain is not None:
        made["email_domains"] = [auth.email_domain]
    _role_map(auth, made, book)
    if auth.user_upsert:
        made["provision"] = {"when": dict(_WRITTEN_ALWAYS)}
        if version == LATEST and (defaults := _user_defaults(settings, book)):
            made["provision"]["defaults"] = defaults
    return made


def _role_map(auth: JwtAuth, made: Rules, book: Notebook) -> None:
    if auth.role_map and not auth.sync:
        book.note(
            f"{key_text(auth.section.at('jwt_litellm_role_map'))}: left out, for LiteLLM does nothing with it without"
            " sync_user_role_and_teams"
        )
    if auth.sync:
        if auth.role_map:
            made["role_map"] = [{"role": pattern, "directory_role": role} for pattern, role in auth.role_map]
            made["sync_roles"] = True
        made["sync_teams"] = True


def _user_defaults(settings: Section, book: Notebook) -> Rules:
    params = settings.section("default_internal_user_params")
    found = _team_defaults(params, book)
    if "max_budget" not in found:
        _budget(found, settings, "max_internal_user_budget", book)
    role = params.text("user_role")
    if role == "proxy_admin":
        book.problem(
            params.at("user_role"), "would make an administrator of whoever comes with a token; expected another role"
        )
    elif role in DIRECTORY_ROLES:
        found["role"] = role
    elif role is not None:
        book.note(f"{key_text(params.at('user_role'))}: left out, for usherd has no such directory role")
    listed = _list(params.raw("teams"))
    for index, team in enumerate(listed):
        if isinstance(team, Mapping) and team.get("max_budget_in_team") is not None:
            place = key_text((*params.at("teams"), index, "max_budget_in_team"))
            book.note(f"{place}: left out; new members have no budget of their own within the team")
    named = [team if isinstance(team, str) else _id_of(team) for team in listed]
    if teams := [team for team in named if team]:
        found["teams"] = teams
    return found


def _team_defaults(params: Section, book: Notebook) -> Rules:
    found: Rules = {}
    if (models := params.texts("models")) is not None:
        found["models"] = models
    _budget(found, params, "max_budget", book)
    if "budget_duration" in params:
        book.note(f"{key_text(params.at('budget_duration'))}: left out; new rows keep one budget for all time")
    return found


def _budget(found: Rules, section: Section, key: str, book: Notebook) -> None:
    budget = section.number(key, nullable=True)
    if budget is None:
        return
    found["max_budget"] = budget
    if budget:
        book.budget(section.at(key))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _id_of(team: object) -> str:
    found = team.get("team_id") if isinstance(team, Mapping) else None
    return found if isinstance(found, str) else ""
