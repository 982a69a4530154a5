"""Names of route groups expand to routes, and every route that works with a model is known to need one."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from shared_data import needs_shared, shared
from usherd.config.patterns import check_route_pattern
from usherd.config.problems import Unusable
from usherd.config.route_groups import RouteGroups, built_in, model_routes
from usherd.permit.route_match import ModelInRoute, RouteSet


@pytest.mark.parametrize("version", ["latest", "reference"])
def test_every_route_of_every_group_is_a_pattern_that_some_route_fits(version: str) -> None:
    for name, routes in built_in(version).items():
        assert routes, name
        assert [check_route_pattern(route) for route in routes] == list(routes)


@pytest.mark.parametrize("version", ["latest", "reference"])
def test_groups_have_no_query_no_trailing_slash_and_no_function_names(version: str) -> None:
    groups = built_in(version)

    assert "/realtime" in groups["openai_routes"]
    assert "openai_route_names" not in groups
    every = {route for routes in groups.values() for route in routes} - {"/"}
    assert {route for route in every if "?" in route or route.endswith("/")} == set()


@needs_shared
def test_the_groups_are_the_reference_data_unchanged() -> None:
    ours = json.loads(resources.files("usherd.config").joinpath("route_groups.json").read_text("utf-8"))

    assert ours == json.loads(shared("reference/route-groups.json").read_text("utf-8"))


def test_groups_expand_within_groups_each_route_once() -> None:
    groups = RouteGroups("latest", {"mine": ["anthropic_routes", "/mine", "/v1/messages"], "all": ["mine", "/mine"]})

    expanded = groups.expand(["all"])

    assert "/v1/messages" in expanded
    assert "/mine" in expanded
    assert len(set(expanded)) == len(expanded)


def test_groups_that_are_nested_too_deeply_are_refused() -> None:
    groups = RouteGroups("latest", {f"g{n}": [f"g{n + 1}"] for n in range(20)} | {"g20": ["/x"]})

    with pytest.raises(Unusable, match="nested too deeply"):
        groups.expand(["g0"])


NEED_A_MODEL = """
POST /anthropic/v1/messages
POST /audio/transcriptions
POST /azure/openai/v1/chat/completions
- /chat/completions
POST /cohere/v2/rerank
POST /completions
POST /engines/gpt-4/completions
POST /images/edits
POST /openai/v1/responses
- /responses
POST /v1/audio/speech
POST /v1/chat/completions
POST /v1/embeddings
POST /v1/images/generations
POST /v1/messages
POST /v1/messages/count_tokens
POST /v1/ocr
GET /v1/realtime
POST /v1/responses
POST /v1beta/models/gemini-2.5-pro:generateContent
POST /v2/rerank
POST /vertex_ai/v1/projects/p/locations/l/publishers/google/models/gemini:rawPredict
POST /v1/responses/compact
POST /openai/v1/responses/input_tokens
POST /utils/token_counter
POST /interactions
POST /v1beta/interactions
- /v1beta/interactions
POST /openai/completions
POST /cohere/v2/chat
PUT /mistral/v1/agents/completions
PATCH /fal_ai/fal-ai/flux/dev
- /bedrock/async-invoke
POST /backend-api/codex/any
POST /assemblyai/v2/transcript
"""
NEED_NONE = """
GET /health
GET /key/info
GET /v1/assistants
POST /v1/batches
GET /v1/files/f
GET /v1/fine_tuning/jobs
GET /v1/models
POST /v1/moderations
DELETE /v1/responses/r1
GET /v1/responses/r1
POST /v1/responses/r1/cancel
GET /v1/responses/r1/input_items
POST /v1/threads/t/messages
POST /v1/vector_stores/v/search
GET /openai/v1/files
GET /gemini/v1beta/models
DELETE /openai/v1/files/f
HEAD /bedrock/x
OPTIONS /anthropic/v1/messages/batches
GET /interactions/i
POST /v1/files
POST /langfuse/api/public/ingestion
POST /milvus/v2/vectordb/entities/search
"""


def _asked(text: str) -> list[tuple[str, str]]:
    """(method, route) of each line; a dash is no method."""
    return [(method.strip("-"), route) for method, route in map(str.split, text.strip().splitlines())]


def test_routes_that_mean_nothing_without_a_model_need_one() -> None:
    needed = RouteSet(model_routes()[0])

    assert [asked for asked in _asked(NEED_A_MODEL) if not needed.denies(*asked)] == []
    assert [asked for asked in _asked(NEED_NONE) if needed.denies(*asked)] == []


IN_THE_URL = {
    "/engines/gpt-4/chat/completions": ("gpt-4",),
    "/engines/openai/gpt-4/chat/completions": ("openai/gpt-4",),
    "/engines/gpt-4/completions": ("gpt-4",),
    "/openai/deployments/gpt-4/embeddings": ("gpt-4",),
    "/v1beta/models/gemini-2.5-pro:generateContent": ("gemini-2.5-pro",),
    "/models/google/gemini:streamGenerateContent": ("google/gemini",),
    "/bedrock/model/anthropic.claude-v2:1/invoke": ("anthropic.claude-v2:1",),
    "/gemini/v1beta/models/gemini-2.5-pro:countTokens": ("gemini-2.5-pro",),
    "/azure/openai/deployments/gpt-4/chat/completions": ("gpt-4",),
    "/v1/chat/completions": (),
    "/v1/models": (),
    "/v1/models/gpt-4": (),
    "/models/secret:batchGenerateContent": ("secret",),
    "/models/org/secret:anyVerb": ("org/secret",),
    "/tunedModels/secret:generateContent": ("secret",),
    "/gemini/v1beta/models/secret:batchGenerateContent": ("secret",),
    "/gemini/v1beta/models/secret:asyncBatchEmbedContent": ("secret",),
    "/gemini/v1beta/models/org/secret:generateAnswer": ("org/secret",),
    "/gemini/v1beta/models/gpt-4o:x/models/secret:y": ("gpt-4o:x/models/secret", "secret"),
    "/gemini/v1beta/tunedModels/secret:generateContent": ("secret",),
    "/bedrock/model/secret/count-tokens": ("secret",),
    "/bedrock/model/arn:aws:bedrock:r:1:inference-profile/secret/invoke-async": (
        "arn:aws:bedrock:r:1:inference-profile/secret",
    ),
    "/bedrock/v2/model/secret/converse": ("secret",),
    "/vertex_ai/publishers/google/models/secret:generateContent": ("secret",),
    "/vertex_ai/v1/publishers/google/models/secret:computeTokens": ("secret",),
    "/vertex_ai/projects/p/locations/l/publishers/google/models/secret:generateContent": ("secret",),
    "/vertex-ai/v1/projects/p/locations/l/publishers/google/models/secret:embedContent": ("secret",),
    "/vertex_ai/v1/projects/p/locations/l/endpoints/secret:predict": ("secret",),
    "/openai/deployments/secret/responses": ("secret",),
    "/azure/deployments/secret/images/variations": ("secret",),
    "/azure/openai/deployments/secret/rerank": ("secret",),
    "/azure/openai/deployments/org/secret/completions": ("org",),
    "/azure/openai/deployments/org/secret/chat/completions": ("org/secret", "org"),
    "/azure_ai/openai/deployments/secret/chat/completions": ("secret",),
    "/openai_passthrough/deployments/secret/chat/completions": ("secret",),
    "/openai/openai/deployments/secret/chat/completions": ("secret",),
    "/openai/deployments/gpt-4o/deployments/secret/chat/completions": ("gpt-4o/deployments/secret", "gpt-4o", "secret"),
    "/openai/engines/secret/chat/completions": ("secret",),
}


@pytest.mark.parametrize(("route", "models"), IN_THE_URL.items())
def test_the_model_in_a_url_is_read(route: str, models: tuple[str, ...]) -> None:
    found = ModelInRoute(model_routes()[1]).models(route)

    assert found == models


def _with_a_model() -> list[str]:
    return sorted({
        route for version in ("latest", "reference") for routes in built_in(version).values() for route in routes
        if "{model}" in route or "{model_name" in route
    })  # fmt: skip


@pytest.mark.parametrize("template", _with_a_model())
def test_every_group_route_with_a_model_in_it_is_read(template: str) -> None:
    route = template.replace("{model}", "some-model").replace("{model_name:path}", "some-model")

    assert ModelInRoute(model_routes()[1]).models(route) == ("some-model",)
    assert RouteSet(model_routes()[0]).denies("POST", route)
