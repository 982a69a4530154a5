"""Routes of the language models and of directory roles are those that LiteLLM has for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_files import ISSUER, settings
from usherd.config.route_groups import RouteGroups
from usherd.config.route_sets import llm_routes
from usherd.permit.route_match import RouteSet
from usherd.permit.rulebook import Rulebook
from usherd.policy import RouteRules
from worlds import policy

REFERENCE_LLM = """
/chat/completions
/v1/messages
/v1/batches/b1
/engines/gpt-4/chat/completions
/openai/deployments/a/b/chat/completions
/azure
/azure/x/y
/azurelike/x
/team/azure
/team/azure/x
/proxy/vertex_ai/v1/x
//azure/x
/v1/realtime
/realtimx
"""
REFERENCE_OTHER = ["/team/new", "/v1/messages/count", "/batches/a/b", "/v1/azur", "/user/info", "/"]
LATEST_LLM = [
    "/v1/chat/completions",
    "/v1/messages",
    "/gemini/v1/x",
    "/openai/x",
    "/mcp",
    "/v1beta/models/gemini:generateContent",
]
LATEST_OTHER = ["/team/new", "/team/azure", "/azurelike/x", "/user/info"]


@pytest.mark.parametrize(
    ("version", "inside", "outside"),
    [("reference", REFERENCE_LLM.split(), REFERENCE_OTHER), ("latest", LATEST_LLM, LATEST_OTHER)],
)
def test_routes_of_the_language_models(version: str, inside: list[str], outside: list[str]) -> None:
    patterns, within = llm_routes(version)
    rules = Rulebook(policy(routes=RouteRules(llm=patterns, llm_within=within)))

    assert [route for route in inside if not rules.is_llm("POST", route)] == []
    assert [route for route in outside if rules.is_llm("POST", route)] == []


ROLES = {
    "internal_user": (["/key/generate", "/spend/logs"], ["/user/new", "/v1/chat/completions", "/user/info"]),
    "internal_user_viewer": (["/spend/logs"], ["/key/generate", "/v1/chat/completions", "/user/info"]),
    "proxy_admin_viewer": (["/user/info", "/spend/logs", "/global/spend"], ["/key/generate", "/v1/chat/completions"]),
    "proxy_admin": (["/team/member_add"], ["/key/generate", "/user/new"]),
}


@pytest.mark.parametrize("version", ["latest", "reference"])
@pytest.mark.parametrize(("role", "routes"), ROLES.items(), ids=ROLES)
def test_a_directory_role_adds_what_litellm_lets_it_do(
    tmp_path: Path, version: str, role: str, routes: tuple[list[str], list[str]]
) -> None:
    policy = settings(tmp_path, ISSUER + f"routes: {{version: {version}}}\n").policy

    added = RouteSet(policy.users.role_routes[role])

    opened, closed = routes
    assert [route for route in [*opened, "/team/member_add"] if not added.grants("POST", route)] == []
    assert [route for route in closed if added.grants("POST", route)] == []


def test_who_has_no_directory_role_is_added_nothing(tmp_path: Path) -> None:
    assert set(settings(tmp_path, ISSUER).policy.users.role_routes) == set(ROLES)


def test_administrators_of_organizations_have_routes_of_their_own(tmp_path: Path) -> None:
    routes = RouteSet(settings(tmp_path, ISSUER).policy.routes.organization_admin)

    assert routes.grants("POST", "/organization/member_add")
    assert not routes.grants("POST", "/organization/new")


def test_texts_of_own_groups_are_not_looked_into_where_routes_are_literal() -> None:
    groups = RouteGroups("reference", {"mine": ["anthropic_routes", "/x/*"]}, literal=True)

    assert groups.expand(["mine"]) == ("mine", "anthropic_routes", "/x/*")
    assert groups.expand(["openai_route_names"])[1] == "chat_completion"
