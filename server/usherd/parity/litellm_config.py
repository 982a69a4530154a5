"""Reads a case as LiteLLM reads it, as far as named differences have to: claims, the role, the list that decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from usherd.config.litellm.providers import provider_of
from usherd.config.litellm.versions import ADMIN_SCOPE
from usherd.globs import fits
from usherd.parity.cases import Case, Json

ADMIN, TEAM, USER = "proxy_admin", "team", "internal_user"


def setting(case: Case, name: str) -> Any:
    """A field of `litellm_jwtauth`; None when it is not set."""
    return (case.config["general_settings"].get("litellm_jwtauth") or {}).get(name)


def claims_of(case: Case) -> Json:
    """The token's claims; none where JSON cannot show them."""
    return case.claims if isinstance(case.claims, dict) and "_raw_payload" not in case.claims else {}


def claim(case: Case, field: str) -> Any:
    """The claim that a field names: one literal key. None when it is null, absent or not configured."""
    name = setting(case, field)
    return None if name is None else claims_of(case).get(name)


def nested_claim(case: Case, field: str) -> Any:
    """The claim that a field for roles names: a dotted path, of which a leading `metadata.` is dropped."""
    name = setting(case, field)
    value: Any = claims_of(case) if name else None
    for step in name.removeprefix("metadata.").split(".") if name else ():
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def is_admin(case: Case) -> bool:
    """Whether the scopes make an administrator."""
    scopes = claims_of(case).get("scope")
    held = scopes.split() if isinstance(scopes, str) else scopes if isinstance(scopes, list) else ()
    return (setting(case, "admin_jwt_scope") or ADMIN_SCOPE) in held


def single_team(case: Case) -> Any:
    """The team of the single claim, or the default where there is no such claim to look for."""
    if setting(case, "team_id_jwt_field") is not None:
        return claim(case, "team_id_jwt_field")
    return setting(case, "team_id_default")


def role_of_claims(case: Case) -> str | None:
    """The internal role, as far as it comes from what the claims name and not from the provider's roles."""
    if is_admin(case):
        return ADMIN
    if single_team(case) is not None:
        return TEAM
    return USER if claim(case, "user_id_jwt_field") is not None else None


def deciding_models(case: Case) -> tuple[list[str], bool] | None:
    """(models, whether they are a team's): the list that must have the model, where just one has to.

    None: there is no such list, or not one that can be told from the case. A team that is found by groups has the
    model by name already.
    """
    if is_admin(case) or claim(case, "object_id_jwt_field") is not None:
        return None
    directory, team = case.directory, single_team(case)
    if team or claim(case, "team_ids_jwt_field"):
        row = (directory.get("teams") or {}).get(team) if isinstance(team, str) else None
        return None if row is None else (row.get("models") or [], True)
    user = user_row(case)
    return None if user is None else (user.get("models") or [], False)


def user_row(case: Case) -> Json | None:
    """The user that the id claim, or the address in its place, finds in the database."""
    name, address = claim(case, "user_id_jwt_field"), claim(case, "user_email_jwt_field")
    if name is None and setting(case, "user_id_jwt_field") not in claims_of(case):
        name = address
    users: Mapping[str, Json] = case.directory.get("users") or {}
    if not isinstance(name, str) or not name:
        return None
    if name in users:
        return users[name]
    by_sso = (row for row in users.values() if row.get("sso_user_id") == name)
    by_address = (row for row in users.values() if address and row.get("user_email") == address)
    return next(by_sso, None) or next(by_address, None)


def asked_model(case: Case, *, of_team: bool) -> str:
    """The model that a list must have; aliases count for users only. Empty: none that is a text."""
    model = case.model if isinstance(case.model, str) else ""
    aliases = (case.config.get("litellm_settings") or {}).get("model_alias_map") or {}
    return model if of_team else aliases.get(model, model)


def covers(models: list[str], model: str, case: Case, *, of_team: bool) -> bool:
    """Whether a list has the model, without LiteLLM's guesses: names, `*` as any text, access groups, the catalogue."""
    if not models or "*" in models or model in models or (of_team and "all-proxy-models" in models):
        return True
    names = {model}
    for deployment in case.config.get("model_list") or ():
        if deployment["model_name"] == model:
            groups = (deployment.get("model_info") or {}).get("access_groups") or ()
            if not set(groups).isdisjoint(models):
                return True
            provider = provider_of(model, deployment["litellm_params"]["model"])
            names |= {f"{provider}/{model}"} if provider else set()
    return any(fits(name, entry) for name in names for entry in models if "*" in entry)
