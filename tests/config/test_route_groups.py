"""Names of route groups expand to routes, and every route that works with a model is known to need one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    assert not any(
        "?" in route or (route != "/" and route.endswith("/")) for routes in groups.values() for route in routes
    )


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


NEED_A_MODEL = {
    ("POST", "/v1/chat/completions"), ("", "/chat/completions"), ("POST", "/azure/openai/v1/chat/completions"),
    ("POST", "/completions"), ("POST", "/v1/embeddings"), ("POST", "/v1/images/generations"), ("POST", "/images/edits"),
    ("POST", "/v1/audio/speech"), ("POST", "/audio/transcriptions"), ("POST", "/v1/messages"),
    ("POST", "/anthropic/v1/messages"), ("POST", "/v1/messages/count_tokens"), ("POST", "/v1/responses"), ("", "/responses"),
    ("POST", "/openai/v1/responses"), ("POST", "/v2/rerank"), ("POST", "/cohere/v2/rerank"), ("GET", "/v1/realtime"),
    ("POST", "/v1beta/models/gemini-2.5-pro:generateContent"), ("POST", "/engines/gpt-4/completions"),
    ("POST", "/vertex_ai/v1/projects/p/locations/l/publishers/google/models/gemini:rawPredict"), ("POST", "/v1/ocr"),
}  # fmt: skip
NEED_NONE = {
    ("GET", "/v1/models"), ("GET", "/v1/responses/r1"), ("DELETE", "/v1/responses/r1"), ("POST", "/v1/responses/r1/cancel"),
    ("GET", "/v1/responses/r1/input_items"), ("GET", "/v1/assistants"), ("POST", "/v1/threads/t/messages"),
    ("GET", "/v1/files/f"), ("POST", "/v1/batches"), ("POST", "/v1/moderations"), ("GET", "/health"), ("GET", "/key/info"),
    ("GET", "/v1/fine_tuning/jobs"), ("POST", "/v1/vector_stores/v/search"),
}  # fmt: skip


def test_routes_that_mean_nothing_without_a_model_need_one() -> None:
    needed = RouteSet(model_routes()[0])

    assert {asked for asked in NEED_A_MODEL if not needed.denies(*asked)} == set()
    assert {asked for asked in NEED_NONE if needed.denies(*asked)} == set()


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


def test_the_same_configuration_has_the_same_digest_in_every_process(tmp_path: object) -> None:
    program = (
        "import sys, pathlib; from usherd.config.load import load;"
        "folder = pathlib.Path(sys.argv[1]); print(load(folder / 'usherd.yaml', {}).policy.digest)"
    )
    from config_files import ISSUER

    (tmp_path / "usherd.yaml").write_text(
        ISSUER + "roles: [{name: r, when: {a: b, c: d}, grants: {routes: [ui_routes]}}]\n"
    )  # type: ignore[operator]

    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }  # fmt: skip

    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64
