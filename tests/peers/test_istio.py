"""What operators are given for Istio has the shape of Istio's own API, and what of it goes to Envoy is taken there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from peers.envoy import Config, example, ext_authz, manager, program
from peers.programs import BUILD_SECONDS, build, tool

pytestmark = [pytest.mark.peers, pytest.mark.timeout(BUILD_SECONDS + 60)]

HERE = Path(__file__).parent
FILE = HERE.parents[1] / "clients" / "envoy" / "istio.yaml"


def documents() -> list[Config]:
    return list(yaml.safe_load_all(FILE.read_text("utf-8")))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program with Istio's own types."""
    made = tmp_path_factory.mktemp("istio") / "read"
    build([tool("go"), "build", "-o", str(made), "."], HERE / "istio")
    return str(made)


def read(reader: str, found: list[Config]) -> subprocess.CompletedProcess[str]:
    lines = "".join(json.dumps(each) + "\n" for each in found)
    return subprocess.run([reader], input=lines, capture_output=True, text=True, timeout=60, check=False)


def test_every_document_has_the_shape_of_istios_api(reader: str) -> None:
    done = read(reader, documents())

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{each['apiVersion']}/{each['kind']}" for each in documents()]


@pytest.mark.parametrize("place", range(3))
def test_a_key_that_istio_does_not_know_would_be_found(reader: str, place: int) -> None:
    found = documents()[place]
    inner: dict[str, Any] = found["spec"].get("meshConfig", found["spec"])
    inner["notThere"] = True

    assert read(reader, [found]).returncode == 1


def test_the_provider_fails_closed_and_is_the_one_that_the_policy_names() -> None:
    operator, policy, _ = documents()
    (provider,) = operator["spec"]["meshConfig"]["extensionProviders"]
    asking = provider["envoyExtAuthzGrpc"]
    ours = ext_authz(example())

    assert policy["spec"]["action"] == "CUSTOM"
    assert policy["spec"]["provider"]["name"] == provider["name"]
    assert asking["failOpen"] is ours["failure_mode_allow"] is False
    assert asking["timeout"] == ours["grpc_service"]["timeout"]
    body = {
        name: asking["includeRequestBodyInCheck"][name]
        for name in ("maxRequestBytes", "allowPartialMessage", "packAsBytes")
    }
    assert list(body.values()) == list(ours["with_request_body"].values())


def test_an_envoy_takes_what_is_for_it(tmp_path: Path) -> None:
    config = example()
    http, insert = (each["patch"]["value"] for each in documents()[2]["spec"]["configPatches"])
    ours = next(each for each in manager(config)["http_filters"] if each["name"] == insert["name"])
    assert insert == ours
    manager(config).update(http["typed_config"])
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(config))

    done = subprocess.run(
        [program(), "--mode", "validate", "--config-path", str(file), "-l", "warning"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
