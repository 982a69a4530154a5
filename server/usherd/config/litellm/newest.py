"""What the newest LiteLLM does otherwise than 1.63.2, as options beside `preset: litellm` (docs/litellm.md).

Most close what was open. Where an option does more than the newest LiteLLM, it is the stricter value that is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from usherd.config.litellm.jwtauth import JwtAuth
from usherd.config.litellm.values import Section
from usherd.options import OptionValue

_ALWAYS: Mapping[str, OptionValue] = {
    # Routes are checked for all callers, by templates, and routes for administrators bind everybody else.
    "access.route_check": "everyone",
    "user.routes": "enforced",
    "route.match": "templates",
    # Models in URLs and fallbacks count, and lists are read with groups, wildcards and aliases.
    "model.sources": "every",
    "team.model_rules": "full",
    "user.model_rules": "full",
    # Teams that an object id names are loaded, and a row says what its user is called and may do.
    "team.object_id_loads": True,
    "user.directory_role": "honoured",
    "user.effective_id": "row",
    # Budgets of organizations, members and end users bind.
    "organization.limits": "enforced",
    "member.budget": "enforced",
    "end_user.judged": "either",
    "budgets.boundary": "reached",
    # Keys of other kinds than RSA are read, and denials have their own HTTP status each.
    "keys.documents": "every",
    "http_status": "usherd",
}


def newest_options(auth: JwtAuth, issuers: Sequence[Mapping[str, Any]], general: Section) -> dict[str, OptionValue]:
    """The options, by name."""
    found = dict(_ALWAYS)
    if auth.email_domain is not None:
        found["user.email_domain"] = "deny"
    if auth.team_default is not None and any("team" in issuer["claims"] for issuer in issuers):
        found["team.default_applies"] = "always"
    if general.switch("apply_user_budget_to_team_keys"):
        found["user.limits_with_team"] = "enforced"
    return found
