"""What operators are given to deploy with says what this version takes, and gives nothing away."""

from __future__ import annotations

import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from usherd.cli.db import VARIABLE
from usherd.cli.main import app
from usherd.config.load import load
from usherd.config.settings import Settings
from usherd.rpc.names import AUTHORIZATION

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "container" / "Dockerfile"
ENVIRONMENT = {
    "USHERD_CACHE_KEY": "0123456789abcdef" * 4,
    "USHERD_DATABASE_URL": "postgresql://usherd:pw@postgres/usherd",
    "USHERD_GATEWAY": "0123456789abcdef" * 2,
    "USHERD_OPERATOR": "fedcba9876543210" * 2,
}
"""What the files have secrets by the name of."""


def instructions() -> list[tuple[str, str]]:
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2]) for line in lines]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    return found


def chart(folder: Path) -> Path:
    """The configuration of the chart's own values, as its ConfigMap has it."""
    values = yaml.safe_load((DEPLOY / "helm" / "usherd" / "values.yaml").read_text())
    for name, key in (("usherd.yaml", "config"), ("directory.yaml", "directory")):
        (folder / name).write_text(yaml.safe_dump(values[key]))
    return folder / "usherd.yaml"


@pytest.mark.parametrize("where", ["compose", "helm"])
def test_every_configuration_loads_and_is_reached_where_the_file_says(where: str, tmp_path: Path) -> None:
    file = DEPLOY / "compose" / "etc" / "usherd.yaml" if where == "compose" else chart(tmp_path)
    made: Settings = load(file, ENVIRONMENT)

    assert made.server.address == "0.0.0.0:50051"
    assert made.server.plaintext_allowed
    assert len(made.directory.teams) == 1
    assert made.store is not None
    assert made.store.url == ENVIRONMENT["USHERD_DATABASE_URL"]
    assert [each.name for each in made.callers] == ["gateway", "operator"]


def test_a_mistake_in_such_a_configuration_would_be_found(tmp_path: Path) -> None:
    file = chart(tmp_path)
    file.write_text(file.read_text().replace("audiences", "audience"))

    with pytest.raises(Exception, match="audience"):
        load(file, ENVIRONMENT)


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("*.yaml")), ids=lambda file: str(file.relative_to(DEPLOY)))
def test_no_file_has_a_secret_in_it(file: Path) -> None:
    assert not re.search(r"(?i)(password|secret|credential|_key)\s*[:=]\s*['\"]?[A-Za-z0-9+/]{16,}", file.read_text())


def test_yaml_is_yaml() -> None:
    files = [file for file in DEPLOY.rglob("*.yaml") if "templates" not in file.parts]

    assert len(files) >= 7
    assert all(list(yaml.safe_load_all(file.read_text())) for file in files)


def test_the_image_is_nobodys_who_matters_and_its_words_are_commands() -> None:
    last = instructions()[[name for name, _ in instructions()].index("FROM") + 1 :]
    found = dict(last)
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    check = json.loads(found["HEALTHCHECK"].partition(" CMD ")[2])

    assert sum(name == "FROM" for name, _ in instructions()) == 2
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", found["USER"])
    assert json.loads(found["ENTRYPOINT"]) == ["usherd"]
    assert json.loads(found["CMD"])[0] in commands
    assert check[0] == "usherd"
    assert check[1] in commands
    assert not any(name == "ADD" for name, _ in instructions())


def test_what_is_copied_is_there_and_is_let_through() -> None:
    let = [
        line.removeprefix("!")
        for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().split()
        if line.startswith("!")
    ]
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    ]

    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, each) for each in let), source


def test_containers_write_nowhere_and_are_reached_from_this_machine_only() -> None:
    for name, each in compose()["services"].items():
        assert "no-new-privileges:true" in each["security_opt"], name
        assert each.get("read_only") is True or name == "postgres", name
        assert not each.get("privileged"), name
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", ())), name
        assert not each.get("image", "").endswith(":latest"), name
    assert compose()["services"]["usherd"]["deploy"]["replicas"] == 2


def test_tables_are_upgraded_once_before_any_server_starts() -> None:
    services = compose()["services"]
    upgrade, usherd = services["upgrade"], services["usherd"]
    command = typer.main.get_command(app)
    for word in upgrade["command"]:
        command = command.commands[word]  # type: ignore[attr-defined]

    assert command.name == "upgrade"
    assert upgrade["image"] == usherd["image"]
    assert upgrade["restart"] == "no"
    assert upgrade["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert usherd["depends_on"]["upgrade"] == {"condition": "service_completed_successfully"}
    assert upgrade["environment"] == {VARIABLE: usherd["environment"][VARIABLE]}
    assert "profiles" not in services["postgres"]
    assert set(usherd["environment"]) == set(ENVIRONMENT)


def test_what_is_mounted_is_there() -> None:
    named = compose()["volumes"]
    for each in compose()["services"].values():
        for mount in each.get("volumes", ()):
            source = mount.partition(":")[0]
            assert source in named or (DEPLOY / "compose" / source).exists(), mount


def test_envoy_deals_out_to_the_replicas_and_asks_for_the_health_of_the_right_service() -> None:
    found = yaml.safe_load((DEPLOY / "compose" / "envoy.yaml").read_text())["static_resources"]
    (cluster,) = found["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    where = endpoint["endpoint"]["address"]["socket_address"]
    (listener,) = found["listeners"]
    routes = listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]

    assert where["address"] in compose()["services"]
    assert where["port_value"] == 50051
    assert cluster["health_checks"][0]["grpc_health_check"]["service_name"] == AUTHORIZATION
    assert [route["route"]["cluster"] for route in routes] == [cluster["name"]]
    assert compose()["services"]["envoy"]["ports"] == [
        f"127.0.0.1:50051:{listener['address']['socket_address']['port_value']}"
    ]


def test_a_unit_starts_reloads_and_ends_it_as_it_expects() -> None:
    lines = (DEPLOY / "systemd" / "usherd.service").read_text().splitlines()
    unit = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    command = shlex.split(unit["ExecStart"])

    assert command[1:] == ["serve", "--config", "/etc/usherd/usherd.yaml"]
    assert unit["Type"] == "notify"
    assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert unit["KillMode"] == "mixed"
    assert int(unit["TimeoutStopSec"]) >= 10 + 30
    assert unit["DynamicUser"] == "yes"
    # Where docs/deploy.md has an SQLite, which nothing else of this unit could write.
    assert unit["StateDirectory"] == "usherd"
