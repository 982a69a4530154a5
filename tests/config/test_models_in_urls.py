"""Whatever route leads to a provider, the model that its URL names is checked, and work without a model is denied."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.config.route_groups import RouteGroups, model_routes
from usherd.domain import Effect
from usherd.policy import Grant, RouteRules
from worlds import World, policy, role

DENIED = {"MODEL_DENIED", "MODEL_REQUIRED", "MODEL_NOT_GRANTED"}
ROUTES = RouteGroups("latest", {}).expand(["llm_api_routes"])
GRANTS: dict[str, dict[str, Any]] = {
    "all but secret models": {
        "grants": Grant(routes=ROUTES, models=("*",)),
        "deny": Grant(models=("secret*", "gemini-*", "claude-*")),
    },
    "one model": {"grants": Grant(routes=ROUTES, models=("gpt-4o",))},
    "no model": {"grants": Grant(routes=ROUTES)},
}
SECRET_IN_THE_URL = [
    "/azure/deployments/secret/chat/completions",
    "/azure/openai/deployments/secret/images/variations",
    "/azure/openai/deployments/secret/rerank",
    "/azure/openai/deployments/secret/responses",
    "/azure_ai/openai/deployments/secret/chat/completions",
    "/bedrock/model/claude-3/count-tokens",
    "/bedrock/model/claude-3/invoke-async",
    "/bedrock/model/claude-3/invoke-with-bidirectional-stream",
    "/gemini/v1beta/models/gemini-pro:asyncBatchEmbedContent",
    "/gemini/v1beta/models/gemini-pro:batchGenerateContent",
    "/gemini/v1beta/models/gemini-pro:bidiGenerateContent",
    "/gemini/v1beta/models/gemini-pro:generateAnswer",
    "/gemini/v1beta/tunedModels/secret:generateContent",
    "/openai/engines/secret/chat/completions",
    "/vertex_ai/v1/projects/p/locations/l/endpoints/secret/chat/completions",
    "/vertex-ai/v1/projects/p/locations/l/endpoints/secret/chat/completions",
    "/openai/openai/deployments/secret/chat/completions",
    "/openai_passthrough/deployments/secret/chat/completions",
    "/vertex_ai/projects/p/locations/l/publishers/google/models/gemini-pro:generateContent",
    "/vertex_ai/publishers/google/models/gemini-pro:generateContent",
    "/vertex_ai/v1/projects/p/locations/l/publishers/google/models/gemini-pro:embedContent",
    "/vertex_ai/v1/projects/p/locations/l/publishers/google/models/gemini-pro:computeTokens",
    "/vertex_ai/v1/projects/p/locations/l/publishers/google/models/gemini-pro:fetchPredictOperation",
    "/vertex_ai/v1/projects/p/locations/l/publishers/google/models/gemini-pro:serverStreamingPredict",
    "/vertex_ai/v1/publishers/google/models/gemini-pro:generateContent",
]
BEHIND_A_PREFIX = [
    "/anthropic/v1/messages/batches",
    "/bedrock/async-invoke",
    "/cohere/v2/chat",
    "/deepgram/v1/listen",
    "/mistral/v1/fim/completions",
    "/openai/completions",
    "/openai/v1/responses/input_tokens",
    "/watsonx/ml/v1/text/chat",
]
OF_THE_GATEWAY = ["/interactions", "/utils/token_counter", "/v1/responses/compact", "/v1beta/interactions"]


def _asked(route: str, method: str, model: str | None = None) -> dict[str, Any]:
    return {"claims": {"roles": ["Reader"]}, "route": route, "method": method, "model": model}


def _world(grant: str) -> World:
    needed, templates = model_routes()
    routes = RouteRules(model_required=needed, model_templates=templates)
    return World(policy=policy(roles=(role(**GRANTS[grant]),), routes=routes))


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("model", [None, "gpt-4o"])
def test_a_model_in_a_url_is_checked_whatever_the_body_names(grant: str, model: str | None) -> None:
    world = _world(grant)

    reasons = {route: world.reason(**_asked(route, "POST", model)) for route in SECRET_IN_THE_URL}

    assert {route: reason for route, reason in reasons.items() if reason not in DENIED} == {}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", ""])
def test_nothing_but_reading_is_allowed_behind_a_prefix_without_a_model(method: str) -> None:
    world = _world("all but secret models")

    reasons = {route: world.reason(**_asked(route, method)) for route in BEHIND_A_PREFIX}

    assert reasons == dict.fromkeys(BEHIND_A_PREFIX, "MODEL_REQUIRED")


@pytest.mark.parametrize("method", ["POST", ""])
def test_the_gateway_does_no_work_without_a_model(method: str) -> None:
    world = _world("all but secret models")

    reasons = {route: world.reason(**_asked(route, method)) for route in OF_THE_GATEWAY}

    assert reasons == dict.fromkeys(OF_THE_GATEWAY, "MODEL_REQUIRED")


@pytest.mark.parametrize("route", ["/gemini/v1beta/models", "/openai/v1/files", "/v1/models", "/v1/responses/r"])
def test_reading_needs_no_model(route: str) -> None:
    world = _world("all but secret models")

    answer = world.ask(**_asked(route, "GET"))

    assert answer.verdict.effect is Effect.ALLOW


SLASHED = [
    f"{prefix}/openai/deployments/org/secret/{work}"
    for prefix in ("", "/azure")
    for work in ("completions", "chat/completions")
]


@pytest.mark.parametrize("route", SLASHED)
@pytest.mark.parametrize("model", [None, "gpt-4o"])
def test_a_deployment_with_a_slash_is_not_reached_by_a_grant_of_other_models(route: str, model: str | None) -> None:
    world = _world("one model")

    reason = world.reason(**_asked(route, "POST", model))

    assert reason == "MODEL_NOT_GRANTED"
