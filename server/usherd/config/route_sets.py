"""Sets of routes that a policy has besides those of its lists: LiteLLM's own, and what directory roles add."""

from __future__ import annotations

from collections.abc import Mapping

from usherd.config.route_groups import RouteGroups, built_in

SESSION_ROUTES = ("ui_routes", "/organization/list", "/organization/info")
"""What a session of the user interface opens, whatever its role: the group of LiteLLM, and what its sessions added."""

_ROLE_GROUPS: Mapping[str, tuple[str, ...]] = {
    "proxy_admin": (),
    "proxy_admin_viewer": ("info_routes", "spend_tracking_routes", "global_spend_tracking_routes"),
    "internal_user": ("internal_user_routes",),
    "internal_user_viewer": ("internal_user_view_only_routes",),
}
_SPEND_ADDED = ("/spend/logs/ui",)
"""What LiteLLM's sessions added to its routes for spend, which each role but an administrator's has some of."""
_EVERY_ROLE = ("self_managed_routes",)
_REFERENCE_LLM = (
    "/openai/deployments/{a}/{b}/chat/completions",
    "/engines/{a}/chat/completions",
    # Its template for realtime is a regular expression with a question mark in it, which makes the letter optional.
    "/realtim{rest}",
    "/v1/realtim{rest}",
)


def role_routes(groups: RouteGroups) -> Mapping[str, tuple[str, ...]]:
    """What each directory role adds to the routes of users, without a model (seed behaviour, section 9).

    It is what LiteLLM lets holders of its own keys do by their role, and so what people expect of it. An internal
    user manages keys and reads spend; a viewer of these reads spend; a viewer of the whole proxy reads everything and
    changes nothing, and has no routes of the language models. Self-managed routes (adding a member to a team) ask
    behind them whether the caller may do that, so every role has them. proxy_admin adds no more than that: it makes an
    administrator, whose routes are those of `admin`. Information routes, which LiteLLM opens to everyone, are not
    added: what `/user/info` shows is said by its query, which no rule sees, so `users.routes` must name them.
    """
    return {
        role: groups.expand([*named, *(_SPEND_ADDED if named else ()), *_EVERY_ROLE])
        for role, named in _ROLE_GROUPS.items()
    }


def llm_routes(version: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(patterns, texts) of the routes of the language models: what the global budget and a required end user are about.

    In the reference these are its two groups with their templates, a few patterns more, and every route that has the
    text of a pass-through prefix anywhere in it; later versions have a group of them, and prefixes that begin routes.
    """
    groups = built_in(version)
    prefixes = groups["mapped_pass_through_routes"]
    if version == "reference":
        named = (*groups["openai_routes"], *groups["anthropic_routes"], *_REFERENCE_LLM)
        return tuple(dict.fromkeys(named)), prefixes
    behind = (pattern for prefix in prefixes for pattern in (prefix, f"{prefix}/*"))
    return tuple(dict.fromkeys((*groups["llm_api_routes"], *behind))), ()
